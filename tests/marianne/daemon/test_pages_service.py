"""Who has the pages served: nobody unless it is said, then the process that the settings mean."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from marianne.daemon.config import DaemonConfig
from marianne.daemon.config.web import WebConfig
from marianne.daemon.context import Context
from marianne.daemon.services.pages import Pages
from marianne.home import Home


def pages(place: Path, config: WebConfig) -> Pages:
    context = SimpleNamespace(home=Home(place), config=DaemonConfig(web=config), client=None)
    return Pages(cast("Context", context))


def test_no_page_is_served_unless_it_is_said(tmp_path: Path) -> None:
    assert pages(tmp_path, WebConfig()).wanted() is None


def test_the_process_is_told_the_home_and_what_pages_may_do(tmp_path: Path) -> None:
    config = WebConfig(enabled=True, port=8000, write=True, allow_hosts=["a"])
    wanted = pages(tmp_path, config).wanted()
    assert wanted is not None
    assert (wanted.address.host, wanted.address.port) == ("127.0.0.1", 8000)
    assert wanted.given == (str(tmp_path), True, ["a"])
    assert wanted == pages(tmp_path, config).wanted(), "a reload that changes nothing does nothing"


def test_a_port_is_one() -> None:
    port: Any
    for port in (0, 65_536, "8000"):
        with pytest.raises(ValueError, match="port"):
            WebConfig(port=port)
