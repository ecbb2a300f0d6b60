"""A root directory with Python, git and the programs that a shell's scripts take for granted.

They are copied from this machine with the libraries that they name. Nothing else of it is there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

COREUTILS = """
    basename cat chmod chown comm cp cut date dd df dirname du echo env expr false fold head
    id install join ln ls md5sum mkdir mkfifo mktemp mv nl nproc od paste printenv printf pwd
    readlink realpath rm rmdir seq sha256sum shuf sleep sort split stat sync tac tail tee test
    timeout touch tr true tty uname uniq wc yes
"""

PROGRAMS = (*COREUTILS.split(), "bash", "sh", "git", "sed", "grep", "awk", "find", "flock", "ps")
"""What a minimal image of any distribution has, and git."""

SETTINGS = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/pip.conf", "/etc/ssl")
"""How this machine reaches its package index."""

LOADED_LATE = (
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"),
    *("libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2", "libgcc_s.so.1", "libstdc++.so.6"),
)
"""Libraries that no program here names: what wheels take for granted (PEP 600)."""


def make(root: Path) -> None:
    """Fills an empty directory."""
    for name in ("dev", "proc", "tmp", "root", "etc", "usr/bin", "usr/share"):
        (root / name).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    found = [_program(root, name) for name in PROGRAMS]
    found += _python(root) + _git(root)
    _libraries(root, [one for one in found if one is not None])
    for setting in (*SETTINGS, os.path.expanduser("~/.config/pip/pip.conf")):
        _copy(root, Path(setting))
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"):
        if os.environ.get(name):
            _copy(root, Path(os.environ[name]))


def _program(root: Path, name: str) -> Path | None:
    where = shutil.which(name)
    if where is None:
        print(f"(this machine has no {name})", file=sys.stderr)
        return None
    true = Path(where).resolve()
    shutil.copy2(true, root / "usr/bin" / name)
    return true


def _python(root: Path) -> list[Path]:
    """The interpreter that runs this, with its standard library, at the place that it was built
    for; without what was installed into it."""
    prefix = Path(sys.base_prefix)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = Path("lib") / version
    (root / prefix.relative_to("/") / "bin").mkdir(parents=True, exist_ok=True)
    binary = Path(sys.executable).resolve()
    target = root / prefix.relative_to("/") / "bin" / version
    shutil.copy2(binary, target)
    (root / "usr/bin/python3").unlink(missing_ok=True)
    if prefix != Path("/usr"):
        (root / "usr/bin/python3").symlink_to(prefix / "bin" / version)
    else:
        (root / "usr/bin/python3").symlink_to(version)
    left_out = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*", "idlelib")
    shutil.copytree(
        prefix / library, root / prefix.relative_to("/") / library, ignore=left_out, symlinks=True
    )
    for shared in (prefix / "lib").glob("libpython*"):
        shutil.copy2(shared, root / prefix.relative_to("/") / "lib", follow_symlinks=False)
    return [binary, *(prefix / library / "lib-dynload").glob("*.so")]


def _git(root: Path) -> list[Path]:
    core = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip())
    target = root / core.relative_to("/")
    target.mkdir(parents=True)
    found = []
    for name in ("git", "git-upload-pack", "git-index-pack", "git-remote-https"):
        if (core / name).exists():
            found.append((core / name).resolve())
            shutil.copy2(found[-1], target / name)
    templates = Path("/usr/share/git-core/templates")
    if templates.is_dir():
        shutil.copytree(templates, root / templates.relative_to("/"), symlinks=True)
    return found


def _libraries(root: Path, programs: list[Path]) -> None:
    wanted: set[str] = set()
    for program in programs:
        told = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
        wanted.update(re.findall(r"(/\S+) \(0x", told.stdout))
    places = {str(Path(one).parent) for one in wanted}
    for name in LOADED_LATE:
        wanted.update(f"{place}/{name}" for place in places if Path(place, name).exists())
    for library in wanted:
        target = root / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            shutil.copy2(Path(library).resolve(), target)


def _copy(root: Path, given: Path) -> None:
    target = root / str(given).lstrip("/")
    if not given.exists() or target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if given.is_dir():
        shutil.copytree(given, target, symlinks=False, ignore_dangling_symlinks=True)
    elif given.name == "pip.conf":  # packages that lie here are not there
        lines = given.read_text().splitlines(keepends=True)
        target.write_text("".join(one for one in lines if not one.startswith("find-links")))
    else:
        shutil.copy2(given.resolve(), target)
