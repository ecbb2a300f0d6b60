"""The calling thread goes behind its walls and starts a program there.

Landlock, namespaces, capabilities and no_new_privs are a thread's own, and what a thread starts
inherits them. So a thread that does nothing else goes, and ends; the worker stays outside.

A user namespace is a process's own. Where one is needed another process goes instead, and ends once
it has started the program: that is adopted by the worker, which is a subreaper, and learns its exit
status as if it had started it. That process has our memory where it can (a fortieth of what a fork
costs), else a copy.
"""

from __future__ import annotations

import _thread
import errno
import os
from collections.abc import Callable, Sequence

from marianne.walls import aside, kernel, landlock
from marianne.walls.blueprint import Blueprint
from marianne.walls.room import Room, WallError

_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 14, 18, 23, 29, 31})
"""What a root's sheet keeps (capabilities(7)): chown, dac_override, fowner, fsetid, kill, setgid,
setuid, setpcap, net_bind_service, net_raw, ipc_lock, sys_chroot, sys_nice, audit_write, setfcap.
With others it could take the walls down: mount, trace, load a module, write to a device."""

_PASSING = (errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EUSERS)


def start_behind(
    plan: Blueprint,
    room: Room | None,
    spawn: Callable[[], int],
    cwd: str,
    files: Sequence[str],
    program: str,
) -> int:
    """What ``spawn`` returns, called behind the walls with ``cwd`` as working directory.

    All signals may be blocked there: ``spawn`` says what is to be. ``files`` may be written and
    ``program`` run wherever they lie. Raises what ``spawn`` raises,
    and WallError when a wall could not be built; ``passes`` says whether that may be otherwise
    later.
    """

    def go() -> int:
        _enter(plan, room, cwd, files, program)
        return spawn()

    if room is None or not room.of_user:
        return _by_a_thread(go)
    return _by_a_process(go) if aside.AVAILABLE else _by_a_fork(go)


def _by_a_thread(go: Callable[[], int]) -> int:
    done = _thread.allocate_lock()
    done.acquire()
    result: list[int | BaseException] = []

    def run() -> None:
        try:
            result.append(go())
        except BaseException as error:  # noqa: BLE001 - it is the caller's, in the other thread
            result.append(error)
        finally:
            done.release()

    _thread.start_new_thread(run, ())
    done.acquire()
    (got,) = result
    if isinstance(got, BaseException):
        raise got
    return got


def _by_a_process(go: Callable[[], int]) -> int:
    outcome: list[int | Exception] = []

    def run() -> None:
        try:
            outcome.append(go())
        except Exception as error:  # noqa: BLE001 - it is the caller's
            outcome.append(error)

    try:
        aside.call(run)
    except OSError as error:
        raise WallError(error.errno, error.strerror) from error
    (got,) = outcome
    if isinstance(got, Exception):
        raise got
    return got


def _by_a_fork(go: Callable[[], int]) -> int:
    said, say = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            os.write(say, _tried(go).encode())
        finally:
            os._exit(0)
    os.close(say)
    with os.fdopen(said, encoding="utf-8", errors="replace") as stream:
        told = stream.read()
    os.waitpid(child, 0)  # it has ended: what it started is ours now
    word, _, rest = told.partition(" ")
    if word == "pid":
        return int(rest)
    if not told:
        raise WallError(errno.EAGAIN, "the process that goes behind the walls has died")
    kinds: dict[str, type[Exception]] = {"wall": WallError, "system": OSError}
    if word not in kinds:
        raise ValueError(rest)
    code, _, text = rest.partition(" ")
    raise kinds[word](int(code), text)


def _tried(go: Callable[[], int]) -> str:
    """What it came to, in words that go through a pipe."""
    try:
        return f"pid {go()}"
    except WallError as error:
        return f"wall {error.errno} {error.strerror}"
    except OSError as error:
        return f"system {error.errno} {error.strerror}"
    except ValueError as error:
        return f"value {error}"


def passes(error: OSError) -> bool:
    """Whether a wall could not be built for want of what the machine may have later."""
    return error.errno in _PASSING


def _enter(
    plan: Blueprint, room: Room | None, cwd: str, files: Sequence[str], program: str
) -> None:
    try:
        rules = None
        if room is not None:
            room.enter()
        if plan.landlock:
            rules = _rules(plan, files, program)
    except OSError as error:
        raise WallError(error.errno, error.strerror) from error
    if room is not None:
        os.chdir(cwd)
    try:
        if plan.root:
            _drop_capabilities()
        if rules is not None:
            rules.enforce()
        else:
            kernel.gain_no_privileges()
    except OSError as error:
        raise WallError(error.errno, error.strerror) from error


def _rules(plan: Blueprint, files: Sequence[str], program: str) -> landlock.Rules:
    version = plan.landlock
    writing = landlock.write_rights(version)
    # Whoever refuses any right to files refuses mounts too; nobody needs to make a disk.
    rights = landlock.MAKE_BLOCK
    rights |= writing if plan.writable is not None else 0
    rights |= landlock.READ if plan.readable is not None else 0
    rules = landlock.Rules(version, rights, network=plan.tcp, scoped=True)
    if plan.writable is not None:
        rules.allow((*plan.writable, *plan.private), writing, real=True)
        rules.allow((*files, *plan.devices), landlock.WRITE_FILE | landlock.TRUNCATE)
    if plan.readable is not None:
        rules.allow((*plan.readable, *plan.private, *plan.shown), landlock.READ, real=True)
        rules.allow((*files, program), landlock.EXECUTE | landlock.READ_FILE)
    return rules


def _drop_capabilities() -> None:
    number = 0
    while number in _KEPT_CAPABILITIES or kernel.drop_capability(number):
        number += 1
