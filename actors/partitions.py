"""One actor made into several, each of which serves its own share of the keys."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from actors.actor import Actor
from actors.errors import SpecError
from actors.outside import shown
from actors.spec import ChildSpec

if TYPE_CHECKING:
    from actors.address import Handle
    from actors.system import System

A = TypeVar("A", bound=Actor)


@dataclass(frozen=True)
class Partitions(Generic[A]):
    """`count` actors of the class `cls` for the children of a `Supervisor`, and the way to each.

    They are named `name-0`, `name-1` … and made from one spec, `ChildSpec(name, cls, args, …)`, in
    which `options` fill the other fields. With `numbered` each gets its number before `args`. What
    Elixir calls a PartitionSupervisor is a `Supervisor("one_for_one", partitions.specs())`.
    """

    name: str
    cls: type[A]
    count: int
    args: tuple[Any, ...] = ()
    numbered: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise SpecError(f"{self.name}: count is a whole number from 1, not {shown(self.count)}")

    def specs(self, **options: Any) -> list[ChildSpec]:
        """One for each; `options` are further fields of `ChildSpec`."""
        spec = ChildSpec(self.name, self.cls, self.args, **options)
        return [
            replace(
                spec,
                id=f"{self.name}-{number}",
                name=f"{self.name}-{number}",
                args=(number, *self.args) if self.numbered else self.args,
            )
            for number in range(self.count)
        ]

    def number(self, key: int | str | bytes) -> int:
        """Which of them a key belongs to: in every process and at every start the same."""
        if isinstance(key, int):
            return key % self.count
        if isinstance(key, str):
            key = key.encode("utf-8", "surrogatepass")
        if not isinstance(key, bytes):
            raise TypeError(f"a key is an int, a str or bytes, not {shown(key)}")
        return zlib.crc32(key) % self.count

    def handle(self, system: System, key: int | str | bytes) -> Handle[A]:
        """The stable address of whoever serves the key."""
        return system.handle(self.cls, f"{self.name}-{self.number(key)}")

    def handles(self, system: System) -> list[Handle[A]]:
        """Of all of them."""
        return [system.handle(self.cls, f"{self.name}-{n}") for n in range(self.count)]
