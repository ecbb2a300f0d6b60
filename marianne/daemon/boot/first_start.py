"""What a boot makes sure of before anything reads the state: that there is one to read."""

from __future__ import annotations

import os

from marianne.home import Home
from marianne.private import PRIVATE_DIR
from marianne.state.database import Database
from marianne.state.making import ASIDE, settle
from marianne.state.migrations import is_older


def settle_state(home: Home) -> list[str]:
    """Makes the database if there is none that is whole, and brings an older one to the present
    shape; returns what was set aside.

    Jobs' files without a database are nobody's: the next jobs get their names, and must not find
    a stranger's spool under them. They are kept beside. For the lock's holder.
    """
    settled = settle(home.db)
    if not settled.made and is_older(home.db):
        Database(home.db).close()  # which brings it to the present: the first readers come next
    aside = [str(settled.aside)] if settled.aside is not None else []
    if settled.made and home.jobs.is_dir() and os.listdir(home.jobs):
        there = home.jobs.with_name(f"{home.jobs.name}{ASIDE}{os.urandom(4).hex()}")
        home.jobs.rename(there)
        home.jobs.mkdir(PRIVATE_DIR)
        aside.append(str(there))
    return aside
