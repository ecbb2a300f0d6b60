"""The docs as a site: it builds without a warning, its links lead somewhere, it asks no host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from marianne.cli.exit_codes import BY_ERROR
from marianne.cli.verbs import VERBS
from marianne.daemon.config.model import DaemonConfig

pytest.importorskip("material", reason="mkdocs-material is not installed: the extra docs")

ROOT = Path(__file__).parents[2]
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
"""What a browser asks for by itself; a link it only follows when somebody clicks."""

OWN = {"canonical", "next", "prev", "alternate"}


class Page(HTMLParser):
    """What a page loads, where its links lead, and which places it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        for name, value in given.items():
            if (tag, name) in LOADS and given.get("rel") not in OWN:
                self.loads.append(value)


class Site:
    def __init__(self, place: Path) -> None:
        self.place = place

    @cached_property
    def pages(self) -> dict[Path, Page]:
        return {path: Page(path.read_text()) for path in sorted(self.place.rglob("*.html"))}

    def text(self, name: str) -> str:
        return (self.place / name).read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", place],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr
    return Site(place)


pytestmark = pytest.mark.slow


def test_no_page_loads_anything_from_another_host(site: Site) -> None:
    foreign = {
        (str(path.relative_to(site.place)), one)
        for path, page in site.pages.items()
        for one in page.loads
        if urlsplit(one).netloc or one.startswith("//")
    }
    assert foreign == set()
    asked = {
        host
        for script in site.place.rglob("*.js")
        for host in re.findall(r"[\"'`]https?://([\w.-]+)", script.read_text())
        if "search_index" not in script.name
    }
    assert asked == set()
    for sheet in site.place.rglob("*.css"):
        assert not re.search(r"(url\(|@import\s*)[\"']?(https?:)?//", sheet.read_text()), sheet


def test_every_link_within_the_site_leads_to_a_place_that_is_there(site: Site) -> None:
    broken = []
    for path, page in site.pages.items():
        if path.name == "404.html":
            continue  # its links are those of the server's root
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            target = target / "index.html" if target.is_dir() else target
            known = site.pages.get(target)
            fragment = unquote(parts.fragment)
            if not target.exists() or (fragment and known and fragment not in known.places):
                broken.append((str(path.relative_to(site.place)), link))
    assert broken == []


def test_the_reference_has_every_verb_setting_and_error(site: Site) -> None:
    verbs, settings = site.text("reference/cli.html"), site.text("reference/config.html")
    for verb in VERBS:
        assert f'<h3 id="{verb}">' in verbs
    for name in DaemonConfig.names():
        assert f"<code>{name}</code>" in settings
    codes = site.text("reference/exit-codes.html")
    for error in BY_ERROR:
        assert f"<code>{error}</code>" in codes


def test_a_file_that_a_page_names_stands_above_its_text(site: Site) -> None:
    assert '<span class="filename">words.yaml</span>' in site.text("tutorial.html")
