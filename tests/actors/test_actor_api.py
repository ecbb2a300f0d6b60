"""What can be imported from `actors`."""

from __future__ import annotations

import actors
import actors.testing

NAMES = """
Actor ActorDied ActorError ActorRef Address AskCycle AskTimeout BRUTAL_KILL Backoff ChildError
ChildSpec Down DynamicSupervisor ExitReason Future Handle Ignore Info Inspector KILLED MailboxFull
Monitor NORMAL NameTaken NoSuchActor Outcome Partitions Pool PoolFull Promise Refusal
SHUTDOWN SpecError StartError StartIgnored Supervisor System SystemEvent Timer Topic
"""


def test_the_public_names_are_these() -> None:
    assert set(actors.__all__) == set(NAMES.split())


def test_every_public_name_exists_and_says_what_it_is() -> None:
    for package in (actors, actors.testing):
        for name in package.__all__:
            assert getattr(package, name).__doc__, name
