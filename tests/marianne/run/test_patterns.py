"""What a pattern matches: as glob has it, and it ends whatever links there are."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marianne.run.patterns import names

TREE = ["a.txt", "in/b.txt", "in/deep/c.txt", "in/deep/er/d.csv", "in/.hidden/e.txt", "in/.f.txt"]
PATTERNS = [
    "*.txt",
    "in/*",
    "in/*.txt",
    "**/*.txt",
    "in/**/*.txt",
    "**/deep/*",
    "**/deep/**/*.csv",
    "in/.*.txt",
    "*/deep/*",
    "**/.f.txt",
    "none/**/*.txt",
    "a.txt",
    "in/deep",
    "[ai]*",
    "**/d.csv",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_links_it_is_what_glob_matches(tree: Path, pattern: str) -> None:
    assert set(names(pattern, str(tree))) == set(glob.glob(pattern, root_dir=tree, recursive=True))
    absolute = os.path.join(tree, pattern)
    assert set(names(absolute, "/")) == set(glob.glob(absolute, recursive=True))


def test_all_below_a_directory_is_without_itself(tree: Path) -> None:
    assert "in/" in glob.glob("in/**", root_dir=tree, recursive=True)
    assert set(names("in/**", str(tree))) == {
        *("in/b.txt", "in/deep", "in/deep/c.txt", "in/deep/er", "in/deep/er/d.csv")
    }


@pytest.mark.parametrize("pattern", ["**/*.txt", "**/nothing", "**"])
def test_links_in_a_circle_are_not_followed(tree: Path, pattern: str) -> None:
    for name in "xyz":
        (tree / name).symlink_to(".")
    words = (
        "import sys; from marianne.run.patterns import names; print(len(set(names(*sys.argv[1:]))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", words, pattern, str(tree)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) < 30


def test_a_link_that_is_named_is_followed(tree: Path) -> None:
    (tree / "link").symlink_to("in")
    assert set(names("link/*.txt", str(tree))) == {"link/b.txt"}
    assert "link/deep/c.txt" in set(names("link/**/*.txt", str(tree)))
