"""A Slurm of one machine: a slurmctld and a slurmd a node, in the foreground, for tests and chaos.

Needs root and Debian's packages (:data:`INSTALL`). Nothing of it is left after ``stop``: what its
jobs left is found by the place of its configuration in the environment, and ended.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

INSTALL = "apt-get install -y --no-install-recommends slurmctld slurmd slurm-client"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "srun", "scancel")

CONF = """\
ClusterName=box
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/slurm
CredType=cred/slurm
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
SlurmdTimeout=60
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
"""

NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=4000\n"
PARTITIONS = """\
PartitionName=short Nodes=ALL Default=YES MaxTime=60 State=UP
PartitionName=long Nodes=ALL MaxTime=INFINITE State=UP
"""

LOCK = "/run/lock/marianne-slurm-box"
TURN = 1800.0
"""Seconds for others that test with a Slurm of their own."""

PATIENCE = 60.0
"""Seconds for anything that a crowded machine does late."""


def missing() -> str | None:
    """Why there can be no box here, with what to do; None where there can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if absent:
        return f"no {', '.join(absent)}: {INSTALL}"
    return None if os.geteuid() == 0 else "slurmd wants to be root"


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Waits for it; AssertionError with ``what`` when it does not come."""
    deadline = time.monotonic() + seconds
    while not (held := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)
    return held


class SlurmBox:
    """``env`` is the environment by which clients reach it."""

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        self.folder = folder
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.conf = folder / "slurm.conf"
        self.env = {**os.environ, "SLURM_CONF": str(self.conf), "PATH": _path()}
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(mode=0o755, parents=True)
        (folder / "state").mkdir()
        key = folder / "slurm.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(64))
        host = socket.gethostname().partition(".")[0]
        ports = _free_ports(nodes + 1)
        text = CONF.format(host=host, port=ports.pop(), folder=folder)
        for name, port in zip(self.nodes, ports, strict=True):
            (folder / f"spool-{name}").mkdir()
            text += NODE.format(name=name, host=host, port=port)
        self.conf.write_text(text + PARTITIONS)

    def start(self) -> None:
        """Everything, until all nodes are idle. One slurmd after the other: each takes the socket
        of keys away from the one before, and two that do so at once are one."""
        self.start_daemon("slurmctld")
        for name in self.nodes:
            self.start_daemon(name)
            out = self.folder / f"{name}.out"
            until(lambda out=out: b"slurmd started" in out.read_bytes(), f"{name} has started")
        until(self.ready, "the nodes of Slurm are idle")

    def ready(self) -> bool:
        """Whether all nodes can be given jobs."""
        states = self.run("sinfo", "-h", "-N", "-p", "short", "-o", "%T", check=False).split()
        return len(states) == len(self.nodes) and set(states) <= {"idle", "mixed", "allocated"}

    def start_daemon(self, name: str) -> None:
        """``slurmctld``, or the slurmd of a node."""
        argv = ["slurmctld", "-D"] if name == "slurmctld" else ["slurmd", "-D", "-N", name]
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                [str(shutil.which(argv[0], path=_path())), *argv[1:], "-f", str(self.conf)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.env,
                start_new_session=True,
            )

    def resume(self) -> None:
        """What an administrator does for nodes that Slurm has drained after a death."""
        names = ",".join(self.nodes)
        self.run("scontrol", "update", f"nodename={names}", "state=resume", check=False)

    def kill_daemon(self, name: str) -> None:
        """At once; its jobs go on."""
        self.daemons[name].kill()
        self.daemons.pop(name).wait()

    def save(self) -> None:
        """Until slurmctld has written down what it knows: of what it learned within its last five
        seconds, one that is killed forgets some, in itself and not in its nodes."""
        mark = f"save-{secrets.token_hex(8)}"
        number = self.run(
            *("sbatch", "--parsable", "--hold", "-J", mark, "-o/dev/null", "--wrap=true")
        ).strip()
        state = self.folder / "state" / "job_state"
        until(
            lambda: state.exists() and mark.encode() in state.read_bytes(), "Slurm's state is saved"
        )
        self.run("scancel", number)

    def _saved(self) -> bytes:
        try:
            return (self.folder / "state" / "job_state").read_bytes()
        except FileNotFoundError:  # not yet, or about to be replaced
            return b""

    def run(self, *argv: str, check: bool = True) -> str:
        """A client's output; one that hangs or fails is an error where ``check`` wants it."""
        done = subprocess.run(
            argv, env=self.env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert not check or done.returncode == 0, (argv, done.stderr)
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """The state of each job that Slurm has, by number."""
        lines = self.run("squeue", "-h", "-o", "%i %T").splitlines()
        return {line.split()[0]: line.split()[1] for line in lines}

    def story(self, job: str) -> str:
        """What Slurm knows of a job, what its daemons have noted of it, and who runs of it."""
        told = [self.run("scontrol", "show", "job", job, check=False)]
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            told += [f"{log.stem}: {line}" for line in lines if re.search(rf"\b{job}\b", line)]
        told += [f"process {pid} is a step of it" for pid in self.steps(job)]
        return "\n".join(told)

    def steps(self, job: str = "") -> list[int]:
        """The pids of the slurmstepd of a job, or of all."""
        found = []
        for pid in self._mine():
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if line.startswith(f"slurmstepd: [{job}" + ("." if job else "")):
                found.append(pid)
        return found

    def named(self, comm: str) -> list[int]:
        """The processes of its jobs that the kernel calls so."""
        found = []
        for pid in self._mine():
            try:
                if Path(f"/proc/{pid}/comm").read_text().strip() == comm:
                    found.append(pid)
            except OSError:
                continue
        return found

    def stop(self) -> None:
        """Ends all processes of it and of its jobs, whatever they answer."""
        for name in list(self.daemons):
            self.kill_daemon(name)
        until(lambda: not self._end_rest(), "nothing of Slurm is left")

    def _end_rest(self) -> list[int]:
        left = list(self._mine())
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)  # it has the place of our configuration
            except ProcessLookupError:
                pass
        return left

    def _mine(self) -> Iterator[int]:
        mark = f"SLURM_CONF={self.conf}".encode()
        for name in filter(str.isdigit, os.listdir("/proc")):
            place = Path("/proc", name)
            try:
                alive = (place / "stat").read_text().rpartition(") ")[2][0] not in "ZX"
                # A slurmstepd has written its title over its environment.
                mine = mark in (place / "environ").read_bytes().split(b"\0") or self._holds(place)
            except OSError:
                continue
            if mine and alive and int(name) != os.getpid():
                yield int(name)

    def _holds(self, place: Path) -> bool:
        """Whether the process is a slurmstepd with a file of ours."""
        if not (place / "comm").read_text().startswith("slurmstepd"):
            return False
        held = [place / "cwd", *(place / "fd").iterdir()]
        return any(os.readlink(one).startswith(f"{self.folder}/") for one in held)


@contextmanager
def slurm_box(folder: Path, nodes: int = 2) -> Iterator[SlurmBox]:
    """One that is ready, and gone afterwards. There is one at a time on a machine: its clients find
    the keys by sockets at fixed places."""
    with open(LOCK, "w") as lock:
        until(lambda: _locked(lock), "another Slurm box ends", TURN)
        box = SlurmBox(folder, nodes)
        try:
            box.start()
            yield box
        finally:
            box.stop()


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
