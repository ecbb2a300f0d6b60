"""The pages in a real browser: what a person sees of a job, and does to it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from browsing import Browser, Pages, drawn, pages, seen
from e2e_marianne import Marianne, until

FAN = """sheets:
  - {name: seed, run: echo seeded}
  - {name: work, needs: [seed], fan_out: 12, run: 'echo part {{ instance }}'}
  - name: wrong
    needs: [seed]
    run: echo oh no >&2; exit 3
    validate: [{file_exists: made.txt}]
  - {name: last, needs: [work, wrong], run: echo never}
"""
HELD = """sheets:
  - {name: held, run: 'echo begun; until test -e go; do sleep 0.05; done; echo gone on'}
  - {name: after, needs: [held], run: echo after}
"""
NASTY = r"""sheets:
  - name: nasty
    run: |
      printf 'before <script>document.title = "taken"</script><img src=x onerror=alert(1)>\n'
      printf 'nul:\000 bell:\a \033[31mred\033[0m \033]0;title\007\033[2J\033[1;1Hclear\n'
      printf '\377\376 not utf-8\n'
      head -c 100000000 /dev/zero | tr '\0' x
      printf '\nthe end <b>bold</b>\n'
"""


def test_a_failed_job_is_shown_with_what_failed_and_why(
    browser: Browser, marianne: Marianne
) -> None:
    job = marianne.play("fan", FAN, code=1)
    browser.open("/")
    browser.sees("#needs", job, "failed")
    browser.open("/?status=failed")
    browser.sees("#jobs", job, "14 of 15", "1 failed")
    browser.click(f"#jobs [data-job='{job}'] a")
    browser.sees("#job-status", "failed")
    browser.sees("#why", "sheet 14 (wrong) failed", "oh no")
    drawn(browser, 15)
    browser.sees("#graph", "seed", "work", "12 sheets", "wrong", "last")
    browser.sees(".legend", "13 completed", "1 failed", "1 skipped")
    browser.sees("#sheets [data-sheet='14']", "wrong", "failed", "Exit code 3")
    browser.click("#sheets [data-sheet='14'] a")
    browser.sees("#sheet-status", "failed")
    browser.click("#stream-err")
    browser.sees("#output", "oh no")
    browser.click("#stream-prompt")
    browser.sees("#output", "exit 3")
    browser.sees("#attempts", "failed", "Exit code 3")
    browser.open("/")
    browser.sees("#counts", "failed")
    assert job not in browser.sees("#needs", "you").split(), "somebody has looked at it"


def test_the_filter_is_in_the_address(browser: Browser, marianne: Marianne) -> None:
    one, other = marianne.play("one", FAN, code=1), marianne.play("other", FAN, code=1)
    browser.open("/?all=1&q=other")
    browser.sees("#jobs", other)
    assert one not in browser.text("#jobs").split()
    browser.run("document.getElementById('filter').value = ''")
    browser.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
    browser.sees("#jobs", one, other)
    assert browser.driver.current_url.endswith("/?all=1")


def test_live_output_arrives_and_a_job_is_paused_resumed_cancelled_and_retried(
    browser: Browser, marianne: Marianne
) -> None:
    job = marianne.submit("held", HELD)
    browser.open(f"/jobs/{job}/sheets/1")
    browser.sees("#output", "begun")
    browser.open(f"/jobs/{job}")
    browser.click("#pause")
    browser.sees("#done", "pause")
    (marianne.place / "held" / "go").touch()
    browser.sees("#job-status", "paused (person)")
    assert marianne.status(job)["status"] == "paused"
    (marianne.place / "held" / "go").unlink()
    browser.click("#resume")
    browser.sees("#job-status", "completed")
    assert marianne.status(job)["progress"]["completed"] == 2

    job = marianne.submit("again", HELD)
    browser.open(f"/jobs/{job}")
    browser.sees("#job-status", "running")
    browser.click("#cancel")
    browser.sees("#confirm", "Its running sheets are ended")
    browser.click("#yes")
    browser.sees("#job-status", "cancelled")
    assert marianne.status(job)["status"] == "cancelled"
    (marianne.place / "again" / "go").touch()
    browser.click("#retry")
    browser.click("#yes")
    browser.sees("#job-status", "completed")
    browser.open(f"/jobs/{job}/sheets/1")
    browser.sees("#output", "begun", "gone on")
    browser.sees("#attempts", "interrupted", "completed")


def test_whatever_a_sheet_prints_is_shown_as_text_and_the_page_stays_quick(
    browser: Browser, marianne: Marianne
) -> None:
    job = marianne.play("nasty", NASTY)
    browser.open(f"/jobs/{job}/sheets/1")
    browser.sees("#output", "the end <b>bold</b>")
    assert browser.run("return document.getElementById('output').textContent.length") < 400_000
    browser.run("document.getElementById('search').value = '<script>'")
    begun = browser.run("return performance.now()")
    browser.run(
        "document.getElementById('search').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter'}))"
    )
    shown = browser.sees("#output", "before <script>", "nul:^@ bell:^G red clear", "not utf-8")
    assert "\ufffd\ufffd not utf-8" in shown
    assert browser.text("#output .f1") == "red"
    assert browser.text("#output mark") == "<script>"
    assert browser.driver.title.startswith("nasty")
    assert not browser.driver.find_elements(
        "css selector", "#output img, #output script, #output b"
    )
    assert browser.run("return performance.now()") > begun
    assert browser.run("return document.getElementById('where').dataset.size") > "100000000"


def test_nothing_is_missed_over_a_kill_of_the_conductor_and_the_page_says_so(
    browser: Browser, marianne: Marianne
) -> None:
    steps = "\n".join(
        f"  - {{name: s{n}, needs: [{f's{n - 1}' if n > 1 else ''}], run: sleep 0.2}}"
        for n in range(1, 25)
    )
    job = marianne.submit("steps", f"sheets:\n{steps}\n")
    browser.open(f"/jobs/{job}")
    first = until(lambda: seen(browser))[0]
    # Seen by the page itself, however short it was.
    browser.run(
        "window.said = []; const line = document.getElementById('line');"
        "new MutationObserver(() => window.said.push(line.dataset.state))"
        ".observe(line, {attributes: true})"
    )
    pids = marianne.pids()
    os.kill(pids["conductor"], signal.SIGKILL)
    browser.sees("#job-status", "completed")
    browser.sees("#line", "live")
    assert {"away", "there"} <= set(browser.run("return window.said"))
    told = marianne.request("events.since", {"job_id": job, "seq": first - 1, "limit": 1000})
    assert seen(browser) == [event["seq"] for event in told["events"]]
    assert marianne.pids()["conductor"] != pids["conductor"]


def test_the_conductor_is_shown_with_its_parts(browser: Browser, marianne: Marianne) -> None:
    browser.open("/conductor")
    pid = str(marianne.pids()["conductor"])
    browser.sees("#facts", pid, "pressure", str(marianne.home))
    browser.sees("#tree", "store", "scheduler", "manager")
    browser.sees("#config", "max_concurrent_sheets")
    marianne.play("logged", "sheets: [{name: one, run: 'true'}]\n")
    browser.sees("#log", "info", "sheet.")
    marianne.crash("manager")
    browser.sees("#tree", "manager, restarted 1 times, ")


def test_attempts_are_shown_over_the_time_of_their_job_and_a_part_of_it_closer(
    browser: Browser, marianne: Marianne
) -> None:
    job = marianne.play("fan", FAN, code=1)
    browser.open(f"/jobs/{job}")
    browser.sees("#timeline-words", "14 attempts, in ")
    browser.run(
        "const canvas = document.getElementById('timeline'), box = canvas.getBoundingClientRect();"
        "for (const [kind, x] of [['mousedown', 9], ['mousemove', 18], ['mouseup', 18]])"
        " canvas.dispatchEvent(new MouseEvent("
        "kind, {clientX: box.left + x, clientY: box.top + 5, buttons: 1}))"
    )
    browser.sees("#timeline-words", " of 14 attempts, in ")
    browser.click("#timeline-all")
    until(lambda: " of 14" not in browser.text("#timeline-words"))


NODE = {
    "name": "n1",
    "state": "away",
    "why": None,
    "address": None,
    "host": "far",
    "version": "1",
    "skew_seconds": 0.25,
    "slots": 8,
    "taken": 2.5,
    "jobs": ["night", "day"],
    "checked": None,
    "lease_left_seconds": 21.0,
}
CLUSTER = {
    "name": "lab",
    "kind": "dask",
    "address": "tcp://lab:8786",
    "used": True,
    "why": None,
    "lease_seconds": 30.0,
    "slots": 8,
    "taken": 2.5,
    "nodes": [NODE],
}


def test_where_sheets_run_is_shown_with_nodes_leases_slots_and_what_runs_there(
    browser: Browser,
) -> None:
    browser.open("/conductor")
    browser.sees("#executors", "local", "On this machine")
    shown = browser.driver.execute_async_script(
        "const [told, done] = arguments;"
        "import('/static/executors.js').then(({executors}) => {"
        " document.getElementById('page').append(...executors(told));"
        " done(document.querySelector('[data-executor=lab]').innerText); })",
        [CLUSTER],
    )
    for words in ("tcp://lab:8786", "2.5 of 8 slots taken", "lease 30 s", "away", "21 s left"):
        assert words in shown
    assert browser.text("[data-node=n1] a") == "night\nday"


def test_who_may_only_look_has_no_buttons_and_a_phone_shows_all(
    chromium: Browser, marianne: Marianne
) -> None:
    job = marianne.submit("held", HELD)
    with pages(marianne) as only:
        chromium.enter(only)
        chromium.driver.set_window_size(390, 800)
        try:
            for path in ("/", f"/jobs/{job}", f"/jobs/{job}/sheets/1", "/conductor"):
                chromium.open(path)
                chromium.sees("#line", "live")
                chromium.sees("#page", job if path != "/conductor" else "Supervision")
                wide = "return document.documentElement.scrollWidth - innerWidth"
                assert chromium.run(wide) <= 0, path
                assert not chromium.driver.find_elements("css selector", "#cancel, #retry")
        finally:
            chromium.driver.set_window_size(1200, 900)


def test_without_a_conductor_a_page_says_so_alone_and_goes_on_when_one_comes(
    chromium: Browser, tmp_path: Path
) -> None:
    program = Marianne(tmp_path)
    program.home.mkdir(mode=0o700)
    try:
        with pages(program) as served:
            chromium.base = served.base
            chromium.driver.get(served.address)
            for path in ("/", "/jobs/one", "/jobs/one/sheets/1", "/conductor"):
                chromium.open(path)
                chromium.sees("#problem", f"No conductor runs for {program.home}", "marianne start")
                assert chromium.text("#page section, .card:not(.problem)").strip() == "", path
            program("start")
            chromium.sees("#tree", "manager")
            chromium.sees("#config", "max_concurrent_sheets")
            until(lambda: not chromium.text("#problem"))
            program("stop")
            chromium.sees("#problem", "What is below is the last that it said")
            chromium.sees("#tree", "manager")
            assert [one for one in chromium.complaints() if "Failed to load" not in one] == []
    finally:
        program("stop", "--force", code=None)


def test_a_stranger_in_the_same_browser_sees_nothing(chromium: Browser, served: Pages) -> None:
    chromium.driver.get("about:blank")
    chromium.driver.get(served.base)
    chromium.driver.delete_all_cookies()
    chromium.driver.get(served.base + "/")
    assert "open the address" in chromium.text("body")
