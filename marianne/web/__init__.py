"""``marianne web``: what people are given to see and steer jobs by, in a browser.

A process of its own, a floor above the command line: a client of the conductor's two sockets. Its
end hurts nobody, and no other part knows it.
"""
