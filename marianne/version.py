"""The version of this program."""

VERSION = "0.1.0"


def version() -> str:
    """The version, as ``--version`` prints it."""
    return VERSION
