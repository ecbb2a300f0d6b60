"""A real browser before the real pages of a real conductor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))
from e2e_marianne import PROGRAM, Marianne, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


class Pages:
    """The pages of one home: a server in a process of its own, and its printed address."""

    def __init__(self, marianne: Marianne, *argv: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "web", *argv],
            env=marianne.env,
            stdout=subprocess.PIPE,
            text=True,
            cwd=marianne.place,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.base = self.address.partition("/?")[0]

    def end(self) -> int:
        """Its exit code after a SIGTERM."""
        self.process.terminate()
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def pages(marianne: Marianne, *argv: str) -> Iterator[Pages]:
    served = Pages(marianne, *argv)
    try:
        yield served
    finally:
        assert served.end() == 0


class Browser:
    """What a person sees and does. At the end nothing may have gone wrong in the pages."""

    def __init__(self, place: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in (*FLAGS, f"--user-data-dir={place}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Without a proxy: what a machine has for its own way out is none to itself.
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER, env=env))
        self.base = ""

    def enter(self, served: Pages) -> None:
        """Opens the printed address."""
        self.base = served.base
        self.driver.get(served.address)
        self.sees("#line", "live")

    def open(self, path: str) -> None:
        self.driver.get(self.base + path)

    def text(self, css: str) -> str:
        """What is there; empty where nothing is."""
        try:
            return "\n".join(one.text for one in self.driver.find_elements(By.CSS_SELECTOR, css))
        except StaleElementReferenceException:
            return ""

    def sees(self, css: str, *words: str) -> str:
        """Waits until the words are there."""
        try:
            return str(until(lambda: self._with(css, words)))
        except AssertionError:
            page = f"{self.text('header')}\n{self.text('#page')}"
            told = f"{css} says {self.text(css)!r:.600}, not {words}; the page: {page:.1500}"
            raise AssertionError(told) from None

    def _with(self, css: str, words: tuple[str, ...]) -> str:
        text = self.text(css)
        return text if all(word in text for word in words) else ""

    def click(self, css: str) -> None:
        """Clicks as soon as that is possible."""

        def clicked() -> bool:
            for one in self.driver.find_elements(By.CSS_SELECTOR, css):
                if one.is_displayed() and one.is_enabled():
                    one.click()
                    return True
            return False

        until(clicked)

    def run(self, script: str, *given: Any) -> Any:
        return self.driver.execute_script(script, *given)

    def complaints(self) -> list[str]:
        """What the browser had to say since the last time, of a page's script or its policy."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]


def drawn(browser: Browser, sheets: int) -> None:
    """Waits until the map shows so many sheets."""
    until(
        lambda: browser.run("return document.getElementById('map')?.dataset.drawn") == str(sheets)
    )


def seen(browser: Browser) -> list[int]:
    """The numbers of the events in the list, the oldest first."""
    script = "return [...document.querySelectorAll('[data-seq]')].map(e => Number(e.dataset.seq))"
    return list(reversed(browser.run(script)))


def as_json(text: str) -> Any:
    return json.loads(text)
