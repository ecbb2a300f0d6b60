"""mkdocs' hooks: pages made of the code, links that lead out of docs/, names of files on blocks."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from docs_reference import PAGES
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
log = logging.getLogger("mkdocs.hooks.docs")

_LINK = re.compile(r"\[([^\]]*)\]\((\.\.?/[^)\s#]*)(#[^)\s]*)?\)")
_HOSTS = re.compile(r"https://(unpkg\.com|api\.github\.com)")
_NAMED = re.compile(r"^```(\w+) (\S+)$", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made."""
    for place, make in PAGES.items():
        files.append(File.generated(config, place, content=make()))
    return files


def on_post_build(config: Any) -> None:
    """The theme's script knows other hosts, for what no page here has; it forgets them."""
    for script in Path(config["site_dir"], "assets", "javascripts").glob("bundle.*.js"):
        text = script.read_text()
        script.write_text(_HOSTS.sub("about:invalid", text))


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """A link to a file of the sources becomes its name; one to a file that is not there warns."""
    here = Path(config["docs_dir"], page.file.src_uri).parent

    def outside(found: re.Match[str]) -> str:
        target = (here / found[2]).resolve()
        if target.is_relative_to(config["docs_dir"]):
            return found[0]
        if not target.exists():
            log.warning("%s: there is no %s", page.file.src_uri, found[2])
        name = target.relative_to(ROOT)
        words = found[1].strip("`")
        return f"`{name}`" if words in (str(name), target.name) else f"{found[1]} (`{name}`)"

    return _NAMED.sub(r'```\1 title="\2"', _LINK.sub(outside, markdown))
