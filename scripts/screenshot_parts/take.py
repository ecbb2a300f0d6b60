"""Plays the examples under a conductor of its own and takes a picture of each page."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
IMAGES = ROOT / "docs" / "images"
sys.path[:0] = [str(TESTS), str(TESTS / "e2e"), str(TESTS / "web")]

from browsing import Browser, drawn, pages  # noqa: E402
from e2e_marianne import Marianne, conductor, until  # noqa: E402

from marianne.cli.session import Session  # noqa: E402
from marianne.home import Home  # noqa: E402
from marianne.top.app import Top  # noqa: E402

NIGHT = """name: night
workspace: ./night
sheets:
  - name: fetch
    run: 'echo fetching; sleep 1; echo done'
  - name: index
    needs: [fetch]
    run: 'echo indexing; sleep 0.5'
  - name: check
    needs: [fetch]
    fan_out: 240
    run: |
      sleep 0.$((3 + RANDOM % 7))
      test {{ instance }} -ne 77 || { echo "part 77 is damaged" >&2; exit 3; }
  - name: train
    needs: [index]
    fan_out: 12
    run: |
      for step in $(seq 60); do
        printf 'step %s: \\033[32mloss 0.%03d\\033[0m\\n' $step $((900 / step)); sleep 1
      done
  - name: report
    needs: [check, train]
    run: echo report
"""
EXAMPLES = ("hello", "sales-reports", "build-package", "movements")


def play(marianne: Marianne) -> None:
    """The examples to their ends; one that a person pauses; one that runs on."""
    examples = marianne.place / "examples"
    shutil.copytree(ROOT / "examples", examples)
    for name in EXAMPLES:
        marianne("run", str(examples / f"{name}.yaml"), "--wait", code=None, timeout=300.0)
    paused = marianne.submit(
        "later", "sheets: [{name: one, run: sleep 1}, {name: two, needs: [one], run: echo}]\n"
    )
    marianne("pause", paused)
    (marianne.place / "night.yaml").write_text(NIGHT)
    marianne("run", str(marianne.place / "night.yaml"))


def take(marianne: Marianne, browser: Browser) -> None:
    """All pages while the night's job runs."""

    def picture(name: str) -> None:
        browser.driver.save_screenshot(str(IMAGES / f"{name}.png"))

    browser.driver.set_window_size(1200, 1050)
    browser.open("/jobs/night")
    drawn(browser, 255)
    train = 243
    until(lambda: marianne.status("night")["progress"]["completed"] > 60)
    browser.sees("#why", "sheet")
    until(lambda: browser.run("return document.getElementById('timeline').height > 0"))
    picture("job")
    browser.open(f"/jobs/night/sheets/{train}")
    browser.sees("#output", "step 3")
    picture("sheet")
    browser.open("/?all=1")
    browser.sees("#jobs", "night", "later", *EXAMPLES[:1])
    browser.sees("#needs", "later", "paused by a person")
    picture("overview")
    browser.open("/conductor")
    browser.sees("#tree", "manager")
    browser.sees("#log", "info")
    picture("conductor")


def screen(marianne: Marianne, place: Path) -> Path:
    """`marianne top` before the night's job, as an SVG without the fonts of other hosts."""
    job = marianne(
        "run",
        str(place / "night.yaml"),
        "--id",
        "evening",
        "--workspace",
        str(place / "evening"),
        "--json",
    ).json["job_id"]
    app = Top(Session.at(Home(marianne.home)), job)

    async def run() -> str:
        async with app.run_test(size=(120, 32)) as pilot:
            await pilot.press("a")
            while len(app.lines) < 12:
                await pilot.pause(0.1)
            await pilot.press("e")
            await pilot.pause(0.5)
            return app.export_screenshot(title="marianne top evening")

    drawn_ = re.sub(r"@font-face \{.*?\}", "", asyncio.run(run()), flags=re.DOTALL)
    path = place / "top.svg"
    path.write_text(drawn_)
    return path


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="marianne-", dir="/tmp") as directory:
        place = Path(directory)
        with conductor(place) as marianne, pages(marianne, "--write") as served:
            play(marianne)
            browser = Browser(place / "browser")
            try:
                browser.enter(served)
                take(marianne, browser)
                browser.driver.get(screen(marianne, place).as_uri())
                browser.driver.save_screenshot(str(IMAGES / "top.png"))
            finally:
                browser.driver.quit()


if __name__ == "__main__":
    main()
