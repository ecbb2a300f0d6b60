"""A message is the method that was written, or an error at who wrote it."""

from __future__ import annotations

import pytest

from actors import Actor, Future, System
from actors.testing import Simulation


class Buffer:
    def flush(self) -> str:
        return "the buffer's"


class Base(Actor):
    def __init__(self) -> None:
        self.buffer = Buffer()
        self.log: list[str] = []

    def __secret(self) -> str:
        self.log.append("base")
        return "base"

    def flush(self) -> str:
        return "the actor's"

    def ask_base(self) -> Future[str]:
        return self.ref.call(Base.__secret)

    def tell_later(self) -> None:
        self.send_after(1.0, self.__secret)
        self.pipe(self.ask_base(), Base.__heard)

    def __heard(self, outcome: object) -> None:
        self.log.append("heard")

    def read(self) -> list[str]:
        return list(self.log)


class _Sub(Base):
    def __secret(self) -> str:
        self.log.append("sub")
        return "sub"

    def ask_sub(self) -> Future[str]:
        return self.ref.call(_Sub.__secret)

    def flush_later(self) -> None:
        self.send_after(1.0, self.buffer.flush)

    def lambda_later(self) -> None:
        self.send_after(1.0, lambda: None)


def test_a_private_method_is_that_of_the_class_that_wrote_it() -> None:
    with Simulation() as sim:
        ref = sim.system.spawn(_Sub)
        assert ref.ask(_Sub.ask_base).get() == "base"
        assert ref.ask(_Sub.ask_sub).get() == "sub"
        ref.ask(Base.tell_later)
        sim.sleep(2.0)
        assert ref.ask(Base.read) == ["base", "sub", "base", "heard", "base"]


def test_a_method_of_something_else_is_refused_where_it_is_written(system: System) -> None:
    ref = system.spawn(_Sub)
    buffer = Buffer()
    for wrong in (buffer.flush, lambda _: None, Base.__init_subclass__.__class__, "".join):
        with pytest.raises(TypeError, match="no method of _Sub"):
            ref.tell(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="no method of _Sub"):
            ref.ask(wrong)  # type: ignore[arg-type]
    assert ref.ask(Base.read) == []


@pytest.mark.parametrize("method", [_Sub.flush_later, _Sub.lambda_later])
def test_a_timer_of_something_else_is_refused_where_it_is_set(
    system: System, method: object
) -> None:
    class Careful(_Sub):
        def try_it(self) -> str:
            with pytest.raises(TypeError, match="no method of"):
                method(self)  # type: ignore[operator]
            return "refused"

    assert system.spawn(Careful).ask(Careful.try_it) == "refused"
