"""The README's first commands in a root of their own: see scripts/fresh."""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fresh_root

REPOSITORY = Path(__file__).resolve().parents[2]
HANDED_ON = re.compile(r"(PIP(?!_FIND)|SSL|REQUESTS|GIT_SSL)_\w+|\w+_(proxy|PROXY)")
"""Variables by which this machine reaches its package index."""

INSIDE = """
set -eu
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mkdir -p "$1/src"
mount --bind "$2" "$1/src"
exec chroot "$1" /bin/bash -c 'bash -euo pipefail /commands && exec bash /after'
"""

AFTER = """
left=$(ps -eo pid=,comm= | awk '$1 != 1 && $2 != "ps" && $2 != "awk" && $2 != "bash"')
[ -z "$left" ] || { echo "left running:"; echo "$left"; exit 1; }
left=$(ls -A /tmp)
[ -z "$left" ] || { echo "left in /tmp: $left"; exit 1; }
"""


def commands(readme: str) -> str:
    """The first block of commands; where the repository is, is for the reader to know."""
    first = re.search(r"^## Try it\n+```sh\n(.*?)```", readme, re.DOTALL | re.MULTILINE)
    assert first, "the README has no commands below 'Try it'"
    assert "git clone <this repository>" in first[1]
    return "cd\n" + first[1].replace("<this repository>", "/src")


def play(root: Path) -> tuple[int, float, float]:
    """Exit code, seconds in all, the longest silence in seconds."""
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        namespaces += ["--user", "--map-root-user"]
    environment = {name: value for name, value in os.environ.items() if HANDED_ON.fullmatch(name)}
    # Git's own check of who owns what is cloned; in a namespace that is somebody else.
    safe = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory"}
    environment |= {**safe, "GIT_CONFIG_VALUE_0": "*"}
    environment |= {"PATH": "/usr/bin:/bin", "HOME": "/root"}
    argv = [*namespaces, "/bin/sh", "-c", INSIDE, "inside", str(root), str(REPOSITORY)]
    path = f"{environment['PATH']}:/usr/sbin:/sbin"
    began = last = time.monotonic()
    silent = 0.0
    with subprocess.Popen(
        argv,
        env={**environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            now = time.monotonic()
            silent, last = max(silent, now - last), now
            print(f"{now - began:6.1f}  {line.decode(errors='replace').rstrip()}", flush=True)
    ended = time.monotonic()
    return process.returncode, ended - began, max(silent, ended - last)


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="scripts/fresh")
    parser.add_argument("--within", type=float, default=60.0, metavar="SECONDS")
    within = parser.parse_args().within
    if shutil.which("unshare") is None:
        print("scripts/fresh: there is no unshare here (util-linux)", file=sys.stderr)
        return 2
    root = Path(tempfile.mkdtemp(prefix="fresh-"))
    try:
        fresh_root.make(root)
        (root / "commands").write_text(commands((REPOSITORY / "README.md").read_text()))
        (root / "after").write_text(AFTER)
        code, seconds, silent = play(root)
    finally:
        shutil.rmtree(root)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime
    print(f"exit code {code}, {seconds:.1f} s in all, {busy:.1f} s of a processor, ", end="")
    print(f"silent for {silent:.1f} s at most")
    if seconds > within:
        print(f"that is over {within:g} s")
    return int(code != 0 or seconds > within)


if __name__ == "__main__":
    sys.exit(main())
