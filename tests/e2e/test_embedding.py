"""A conductor inside a program: docs/embedding.md, to the letter."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedding_program import LIFE, ends, left_behind, nothing_is_left, run, until

from marianne.home import Home

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_the_program_of_the_page_runs_its_job(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert ends(tmp_path, found[1]) == "greeting completed\n"
    assert (tmp_path / "out" / "said.txt").read_text() == "hello\n"
    nothing_is_left(tmp_path)
    assert not Home(tmp_path / "home").running()


WHOLE = (
    LIFE
    + """
async def main():
    before, events, states, threads = mine(), [], [], set()
    child = await asyncio.create_subprocess_exec(
        "sleep", "1000", start_new_session=True, stdout=asyncio.subprocess.DEVNULL, stderr=-2
    )
    gone = await asyncio.create_subprocess_exec("true")
    service = JobService(state_publish_callback=lambda state: states.append(state["status"]))
    manager = JobManager(DaemonConfig(), service=service)
    assert not manager.shutting_down and manager.running_count == 0
    await manager.start()
    manager.event_bus.subscribe(lambda name, data: (events.append(name),
                                                    threads.add(threading.current_thread().name)))
    assert mine() == before

    assert (await submit(manager, "quick", "echo quick")).status == "accepted"
    assert await reaches(manager, "quick", "completed", "failed") == "completed"
    assert not await manager.pause_job("quick") and not await manager.cancel_job("quick")
    assert not await manager.cancel_job("nobody")
    for asked in (manager.pause_job("nobody"), manager.get_job_status("nobody"),
                  manager.get_job_status("quick", Path("/elsewhere"))):
        try:
            await asked
        except Exception as error:
            assert type(error).__name__ == "JobSubmissionError", error
        else:
            raise AssertionError("it was not refused")
    refused = await manager.submit_job(JobRequest(config_path=Path("none.yaml")))
    assert refused.status == "rejected" and "none.yaml" in refused.message, refused

    await submit(manager, "slow", "touch here; until [ -e go ]; do sleep 0.05; done")
    while not Path("slow/here").exists():
        await asyncio.sleep(0.05)
    stats = await manager.scheduler.get_stats()
    assert (stats.active, stats.per_job_running) == (1, {"slow": 1})
    while manager.running_count != 1:  # the one before is being put away
        await asyncio.sleep(0.02)
    assert manager.scheduler.active_count == manager.active_job_count == 1
    assert (await service.get_status("slow", Path("slow").resolve()))["status"] == "running"
    assert (await manager.modify_job("slow", Path("slow.yaml"))).status == "accepted"
    Path("slow/go").touch()
    assert await reaches(manager, "slow", "completed", "failed") == "completed"
    assert (await service.get_status("slow", Path("slow").resolve()))["status"] == "completed"

    await submit(manager, "paused", "touch here; until [ -e go ]; do sleep 0.05; done")
    while not Path("paused/here").exists():
        await asyncio.sleep(0.05)
    assert await service.pause_job("paused", Path("paused").resolve())
    Path("paused/go").touch()
    assert await reaches(manager, "paused", "paused") == "paused"
    other = Path("other.yaml").resolve()
    other.write_text(Path("paused.yaml").read_text().replace("echo done", "touch changed"))
    while manager.running_count:  # its actors are being put away
        await asyncio.sleep(0.02)
    manager.update_job_config_metadata("paused", config_path=other)
    assert (await manager.resume_job("paused")).status == "accepted"
    assert await reaches(manager, "paused", "completed", "failed") == "completed"
    assert Path("paused/changed").exists()

    await submit(manager, "bad", "exit 3")
    assert await reaches(manager, "bad", "completed", "failed") == "failed"
    assert (await manager.get_job_errors("bad"))["total"] == 1
    assert (await manager.get_diagnostic_report("bad"))["cause"]
    assert (await manager.get_execution_history("bad", sheet_num=1))["records"]
    assert (await manager.recover_job("bad", dry_run=True))["recovered"] == []
    listed = await manager.list_jobs()
    assert [job["job_id"] for job in listed] == ["bad", "paused", "slow", "quick"]
    told = await manager.get_daemon_status()
    assert DaemonStatus.model_validate(told).pid == os.getpid()
    ready = await HealthChecker(manager, manager.monitor).readiness()
    assert ready["status"] == "ready", ready
    manager.apply_config(manager.config.model_copy(update={"max_concurrent_sheets": 3}))
    while (await manager.scheduler.get_stats()).max_concurrent != 3:
        await asyncio.sleep(0.05)
    assert await manager.clear_rate_limits() == {"cleared": 0, "instrument": None, "keys": []}
    assert (await manager.clear_jobs(["failed"]))["jobs"] == ["bad"]
    assert manager.observer_recorder is None and manager.learning_hub and manager.rate_coordinator
    assert manager.backpressure.should_accept_job() and manager.uptime_seconds > 0

    await submit(manager, "left", "sleep 1000")
    waits = asyncio.create_task(manager.wait_for_shutdown())
    await asyncio.sleep(0.05)
    assert not waits.done() and not manager.shutting_down
    ends = asyncio.create_task(manager.shutdown(graceful=False))
    await asyncio.sleep(0)
    assert manager.shutting_down
    await ends
    await waits
    assert mine() == before
    assert events.count("job.completed") == 3 and threads == {"MainThread"}, (events, threads)
    assert states.count("completed") == 3 and "paused" in states, states
    try:
        await manager.list_jobs()
    except RuntimeError as error:
        assert "start()" in str(error)
    assert await gone.wait() == 0 and child.returncode is None
    child.kill()
    again = JobManager(DaemonConfig())
    await again.start()
    assert (await again.get_job_status("left"))["status"] == "cancelled"
    await again.shutdown()
    print("all is well")

asyncio.run(main())
"""
)


def test_all_that_is_documented_of_the_manager_works_in_a_program_and_nothing_of_it_is_changed(
    tmp_path: Path,
) -> None:
    assert ends(tmp_path, WHOLE) == "all is well\n", "its main module ran once"
    nothing_is_left(tmp_path)


KILLED = (
    LIFE
    + """
async def main():
    manager = JobManager(DaemonConfig(orphan_grace_seconds=1.0, sheet_grace_seconds=1.0))
    await manager.start()
    await submit(manager, "long", "setsid sleep 1000 & echo $! > pid; trap '' TERM; sleep 1000")
    await asyncio.sleep(1000)

asyncio.run(main())
"""
)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    program = run(tmp_path, KILLED)
    yield tmp_path, program
    program.kill()
    program.wait()


def test_a_program_that_is_killed_leaves_no_process_and_its_job_goes_on_with_the_next(
    killed: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    place, program = killed
    pid = place / "long" / "pid"
    until(lambda: pid.exists() and pid.read_text(), "the sheet runs")
    assert left_behind(place)
    program.send_signal(signal.SIGKILL)
    program.wait()
    nothing_is_left(place)
    (place / "long.yaml").unlink()
    after = LIFE + (
        "async def main():\n    manager = JobManager(DaemonConfig())\n    await manager.start()\n"
        '    status = await manager.get_job_status("long")\n'
        '    assert status["status"] == "running"\n'
        '    assert await manager.cancel_job("long")\n    await manager.shutdown()\n'
        "asyncio.run(main())\n"
    )
    ends(place, after)
    nothing_is_left(place)
