"""What the pages of ``marianne web`` cost: 50 viewers, none, a job of 100,000 sheets. Minutes.

The last part needs chromium and selenium, as the tests in tests/web do; without them it has no row.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

from conductor import PROGRAM, Conductor
from table import Row

ON_DEMAND = True

VIEWERS = 50
SHEETS = 3_000
MANY = 100_000
REST_SECONDS = 20.0
LATER = 30 * 86400.0


class Pages:
    """A server of pages, watched from outside."""

    def __init__(self, conductor: Conductor) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "web"], env=conductor.env, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.host, _, token = self.address.removeprefix("http://").partition("/?token=")
        self.cookie = f"marianne_{self.host.rpartition(':')[2]}={token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def view(self, job_id: str) -> http.client.HTTPResponse:
        """The stream of a job's page."""
        connection = http.client.HTTPConnection(self.host)
        path = f"/api/live?view=job&job={job_id}"
        connection.request("GET", path, headers={"Cookie": self.cookie})
        return connection.getresponse()


class Asking(threading.Thread):
    """What a page asks for beside its stream, as often as it does."""

    def __init__(self, pages: Pages, job_id: str, over: threading.Event) -> None:
        super().__init__(daemon=True)
        self._pages = pages
        self._job = f"/api/jobs/{job_id}"
        self._over = over

    def run(self) -> None:
        turn = 0
        while not self._over.wait(2.0):
            turn += 1
            # A new one each time: the server lets go of one that is idle for five seconds.
            connection = http.client.HTTPConnection(self._pages.host)
            paths = ["rows?first=1&last=40"]
            paths += ["timeline"] * (turn % 3 == 0) + ["why"] * (turn % 5 == 0)
            for path in paths:
                headers = {"Cookie": self._pages.cookie}
                connection.request("GET", f"{self._job}/{path}", headers=headers)
                connection.getresponse().read()
            connection.close()


class Viewer(threading.Thread):
    """Reads all that a page gets, until the job has completed."""

    def __init__(self, stream: http.client.HTTPResponse) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.missed = 0

    def run(self) -> None:
        last = None
        for line in self._stream:
            if not line.startswith(b'data: {"seq":') or b'"event"' not in line:
                continue
            event = json.loads(line[6:])
            self.missed += last not in (None, event["prev"])
            last = event["seq"]
            if event["event"] == "job.completed":
                return


def viewers() -> list[Row]:
    """50 pages of a job of 3,000 sheets that end as quickly as they can."""
    with Conductor() as conductor, Pages(conductor) as pages:
        time.sleep(3.0)
        before = pages.cpu()
        time.sleep(REST_SECONDS)
        rest = 100 * (pages.cpu() - before) / REST_SECONDS
        score, go = conductor.place / "seen.yaml", conductor.place / "go"
        hold = f"until test -e {go}; do sleep 0.05; done"
        score.write_text(
            f"name: seen\nworkspace: ./seen\nsheets:\n  - {{name: seed, run: '{hold}'}}\n"
            f"  - {{name: work, needs: [seed], fan_out: {SHEETS - 1}, run: 'true'}}\n"
        )
        job = conductor.submit(str(score))
        watching = [Viewer(pages.view(job)) for _ in range(VIEWERS)]
        over = threading.Event()
        for one in [*watching, *(Asking(pages, job, over) for _ in range(VIEWERS))]:
            one.start()
        time.sleep(3.0)  # on a busy machine pages open slowly
        begun, before = time.perf_counter(), pages.cpu()
        go.touch()
        conductor.wait(job)
        for one in watching:
            one.join()
        over.set()
        seconds, used = time.perf_counter() - begun, pages.cpu() - before
        missed = sum(one.missed for one in watching)
        memory = pages.memory()
        before = pages.cpu()
        time.sleep(REST_SECONDS)
        after = 100 * (pages.cpu() - before) / REST_SECONDS
    return [
        Row("pages at rest, none open", rest, None, "%", 0.5),
        Row("50 pages of 3,000 sheets that run", 100 * used / seconds, None, "%", 10),
        Row("processor time of the pages meanwhile", used, None, "s", None),
        Row("the job, sheets a second", SHEETS / seconds, None, "1/s", None),
        Row("events that one of them missed", missed, None, "", 0),
        Row("pages at rest, 50 open", after, None, "%", 0.5),
        Row("memory with 50 pages", memory, None, "MB", 60),
    ]


def many() -> list[Row]:
    """A job of 100,000 sheets in a browser: from the click to the last square, then a scroll."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        return []
    tests = Path(__file__).parents[2] / "tests"
    sys.path[:0] = [str(tests), str(tests / "web"), str(tests / "e2e")]
    from browsing import Browser, drawn, until

    with Conductor() as conductor, Pages(conductor) as pages:
        score = conductor.place / "many.yaml"
        score.write_text(
            "name: many\nworkspace: ./many\nsheets:\n  - {name: seed, run: 'true'}\n"
            f"  - {{name: work, needs: [seed], fan_out: {MANY - 1}, run: 'true'}}\n"
        )
        job = conductor.submit(str(score), at=time.time() + LATER)
        browser = Browser(conductor.place / "browser")
        try:
            browser.driver.get(pages.address)
            begun = time.perf_counter()
            browser.driver.get(f"http://{pages.host}/jobs/{job}")
            drawn(browser, MANY)
            shown = time.perf_counter() - begun
            begun = time.perf_counter()
            script = "const b = document.getElementById('sheets'); b.scrollTop = b.scrollHeight"
            browser.run(script)
            until(lambda: f"work-{MANY - 1}" in browser.text("#sheets"))
            scrolled = time.perf_counter() - begun
        finally:
            browser.driver.quit()
        memory = pages.memory()
    return [
        Row("100,000 sheets drawn", shown, None, "s", 3),
        Row("scrolled to the last of them", scrolled, None, "s", 3),
        Row("memory of the server after it", memory, None, "MB", 60),
    ]


def measure() -> list[Row]:
    """All rows."""
    return [*viewers(), *many()]
