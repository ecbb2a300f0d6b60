"""What is released: a wheel that works where it alone is installed, and sources that build it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from marianne.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
SITE = next(path for path in map(Path, sys.path) if path.name == "site-packages")

pytestmark = pytest.mark.slow


def build(root: Path, into: Path, *options: str) -> None:
    argv = [sys.executable, "-m", "hatchling", "build", "-d", str(into), *options]
    subprocess.run(argv, cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("dist")
    build(ROOT, into)
    return into


def wheel_of(dist: Path) -> Path:
    return next(dist.glob("*.whl"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist() if not name.endswith("RECORD")}


def test_at_top_level_a_wheel_has_packages_of_ours_alone(dist: Path) -> None:
    names = contents(wheel_of(dist))
    top = {name.split("/")[0] for name in names}
    assert {one for one in top if not one.endswith((".data", ".dist-info"))} == {
        *("actors", "ipc", "marianne")
    }
    assert "marianne/py.typed" in names


def test_the_sources_build_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as file:
        file.extractall(tmp_path / "sources", filter="data")
    [root] = (tmp_path / "sources").iterdir()
    build(root, tmp_path / "again", "-t", "wheel")
    assert contents(wheel_of(tmp_path / "again")) == contents(wheel_of(dist))


def test_each_verb_has_a_manual_page_that_troff_reads_without_a_word(
    dist: Path, tmp_path: Path
) -> None:
    names = contents(wheel_of(dist))
    pages = {name: text for name, text in names.items() if "/man1/" in name}
    found = {Path(name).stem for name in pages}
    assert {f"marianne-{verb}" for verb in VERBS} | {"marianne"} <= found
    troff = shutil.which("groff")
    if troff is None:
        pytest.skip("the pages are there; whether they are well made needs groff (groff-base)")
    for name, text in pages.items():
        argv = [troff, "-man", "-Tutf8", "-K", "utf8", "-ww", "-z"]
        done = subprocess.run(argv, input=text, capture_output=True, check=True)
        assert done.stderr == b"", (name, done.stderr)


def test_an_installed_wheel_plays_a_score_without_a_checkout(dist: Path, tmp_path: Path) -> None:
    place = tmp_path / "clean"
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-index"]
    subprocess.run([*pip, "--no-deps", str(wheel_of(dist))], check=True, capture_output=True)
    # What it needs of others is what we are tested with.
    [site] = (place / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(f"{SITE}\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MARIANNE", "PYTHON"))}
    env |= {"MARIANNE_HOME": str(tmp_path / "home")}

    def call(*argv: str) -> str:
        done = subprocess.run(
            argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout

    where = call(str(python), "-c", "import marianne; print(marianne.__file__)")
    assert Path(where.strip()).is_relative_to(place)
    program = str(place / "bin" / "marianne")
    call(program, "init")
    try:
        call(program, "run", "hello.yaml", "--wait")
    finally:
        call(program, "stop")
    assert (place / "share" / "man" / "man1" / "marianne.1").exists()
    assert (place / "share" / "bash-completion" / "completions" / "marianne").exists()
    assert (place / "share" / "marianne" / "score.schema.json").exists()
