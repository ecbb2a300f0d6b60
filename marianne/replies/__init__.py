"""What a conductor answers, as types: one TypedDict for each map of a reply.

Which method answers which is said by its handler in :mod:`marianne.daemon.api.handlers`, whose
``Params`` are what it takes; docs/protocol.md shows both as tables, ``methods`` the answers to who
asks (``scripts/protocol-tables`` writes them). A field is described where its name does not say
all. Nothing is checked by these types while a conductor runs: mypy does it where a reply is made
and read, tests/e2e/test_replies.py on the wire.
"""
