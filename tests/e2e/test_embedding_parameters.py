"""What is given to the documented members does what it says, seen from an embedding program."""

from __future__ import annotations

from pathlib import Path

from embedding_program import LIFE, ends, nothing_is_left

JOBS = (
    LIFE
    + """
import time

def fails_in(manager, name, line):
    Path(name + ".yaml").write_text(
        f"name: {name}\\nworkspace: ./{name}\\nsheets: [{{name: a, run: '{line}; exit 3'}}]\\n"
    )
    return manager.submit_job(JobRequest(config_path=Path(name + ".yaml")))

CHECKED = "name: checked\\nworkspace: ./checked\\nsheets:\\n" + "".join(
    "  - {name: s%d, run: 'true', validate: [{file_exists: made}], retry: {max_retries: 0}}\\n" % n
    for n in (1, 2)
)

async def main():
    manager = JobManager(DaemonConfig(), start_time=time.time() - 5000)
    await manager.start()
    assert 5000 <= manager.uptime_seconds < 6000
    Path("checked.yaml").write_text(CHECKED)
    await manager.submit_job(JobRequest(config_path=Path("checked.yaml")))
    await reaches(manager, "checked", "failed")
    for ask in (manager.get_job_status, manager.get_job_errors, manager.get_diagnostic_report,
                manager.get_execution_history, manager.recover_job):
        await ask("checked", workspace=Path("checked").resolve())
        try:
            await ask("checked", workspace=Path("/elsewhere"))
        except Exception as error:
            assert "job checked works in" in str(error), error
        else:
            raise AssertionError(f"{ask} looks nowhere")
    history = manager.get_execution_history
    assert {one["sheet"] for one in (await history("checked"))["records"]} == {1, 2}
    assert {one["sheet"] for one in (await history("checked", sheet_num=2))["records"]} == {2}
    assert len((await history("checked", limit=1))["records"]) == 1
    Path("checked/made").touch()
    for given, recovered in (({"sheet_num": 2, "dry_run": True}, [2]), ({"sheet_num": 2}, [2]),
                             ({}, [1])):
        told = await manager.recover_job("checked", **given)
        assert told["recovered"] == recovered, (given, told)

    await fails_in(manager, "moved", "touch here")
    await reaches(manager, "moved", "failed")
    for change in (
        lambda place: manager.modify_job("moved", Path("moved.yaml"), workspace=place),
        lambda place: manager.resume_job("moved", workspace=place),
    ):
        place = Path(f"place{len(list(Path().glob('place*')))}").resolve()
        assert (await change(place)).status == "accepted"
        await reaches(manager, "moved", "failed")
        assert (place / "here").exists()
        assert (await manager.get_job_status("moved"))["workspace"] == str(place)
    Path("moved.yaml").write_text(Path("moved.yaml").read_text().replace("here", "there"))
    for given in ({}, {"workspace": place}, {"workspace": Path("last")}):
        await manager.resume_job("moved", no_reload=True, **given)
        await reaches(manager, "moved", "failed")
    place = Path("last").resolve()
    assert [path.name for path in Path().glob("*/*here")] == ["here"] * 4
    Path("other.yaml").write_text(Path("moved.yaml").read_text().replace("there", "yonder"))
    await manager.resume_job("moved", config_path=Path("other.yaml"))
    await reaches(manager, "moved", "failed")
    assert (place / "yonder").exists() and not [*Path().glob("*/there")]

    assert (await manager.clear_jobs(older_than_seconds=3600.0))["jobs"] == []
    assert (await manager.clear_jobs(statuses=["completed"]))["jobs"] == ["checked"]
    await fails_in(manager, "third", "true")
    await reaches(manager, "third", "failed")
    assert (await manager.clear_jobs(job_ids=["third"]))["jobs"] == ["third"]
    assert [job["job_id"] for job in await manager.list_jobs()] == ["moved"]

    await submit(manager, "kept", "touch here; until [ -e go ]; do sleep 0.05; done")
    while not Path("kept/here").exists():
        await asyncio.sleep(0.05)
    assert await manager.pause_job("kept")
    Path("kept/go").touch()
    await reaches(manager, "kept", "paused")
    while manager.running_count:  # its actors are being put away
        await asyncio.sleep(0.02)
    manager.update_job_config_metadata("kept", workspace=place)
    assert (await manager.resume_job("kept")).status == "accepted"
    await reaches(manager, "kept", "completed", "failed")
    assert (await manager.get_job_status("kept"))["workspace"] == str(place)
    await manager.shutdown()
    print("all is well")

asyncio.run(main())
"""
)


def test_what_is_given_to_the_managers_methods_is_heeded(tmp_path: Path) -> None:
    assert ends(tmp_path, JOBS) == "all is well\n"
    nothing_is_left(tmp_path)


GIVEN = (
    LIFE
    + """
import time
from marianne.learning.hub import LearningHub

class Elsewhere:
    def status(self, job_id):
        return {"job_id": job_id, "workspace": os.getcwd()}

LIMITED = "name: limited\\nraw_prompt: true\\ncli:\\n  command: {executable: sh}\\n" \\
    "  errors: {rate_limit_patterns: [slow down]}\\n"
SLOW = "name: slow\\nworkspace: ./slow\\ninstrument: limited\\n" \\
    "sheets: [{name: a, prompt: 'echo slow down, retry after 600 >&2; exit 1'}]\\n"

async def main():
    # First of all: what others of our children do would be counted, too.
    far = subprocess.run(["setsid", "sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"],
                         capture_output=True, check=True)
    mine, counts = ProcessGroupManager(), []
    idle = JobManager(DaemonConfig())
    monitor = ResourceMonitor(DaemonConfig().resource_limits, idle, mine)
    for track in (lambda pid: None, mine.track_backend_pid):
        track(int(far.stdout))
        counts.append((await monitor.check_now()).child_process_count)
    os.kill(int(far.stdout), signal.SIGKILL)
    assert counts[1] == counts[0] + 1, counts
    assert JobManager(DaemonConfig(), monitor=monitor).group is mine

    limits, group, hub = [], ProcessGroupManager(), LearningHub()
    service = JobService(registry=Elsewhere(), pgroup_manager=group, global_learning_store=hub,
                         rate_limit_callback=lambda *told: limits.append(told))
    manager = JobManager(DaemonConfig(), service=service)
    await manager.start()
    assert manager.learning_hub is hub
    assert (await service.get_status("one", Path.cwd()))["job_id"] == "one"
    programs = Path(os.environ["MARIANNE_HOME"], "instruments")
    programs.mkdir(exist_ok=True)
    (programs / "limited.yaml").write_text(LIMITED)
    Path("slow.yaml").write_text(SLOW)
    await manager.submit_job(JobRequest(config_path=Path("slow.yaml")))
    while not manager.rate_coordinator.active_limits():
        await asyncio.sleep(0.02)
    assert limits == [("limited", 600.0, "slow", 1)], limits
    assert len(group.tracked) == 1, "the worker"
    assert (await manager.clear_rate_limits("another"))["cleared"] == 0
    assert manager.rate_coordinator.active_limits()
    assert (await manager.clear_rate_limits("limited"))["cleared"] == 1
    health = HealthChecker(manager, manager.monitor, start_time=time.time() - 5000)
    assert 5000 <= (await health.liveness())["uptime_seconds"] < 6000
    await manager.shutdown(graceful=False)
    print("all is well")

import subprocess
asyncio.run(main())
"""
)


def test_what_is_given_to_the_constructors_is_heeded(tmp_path: Path) -> None:
    assert ends(tmp_path, GIVEN) == "all is well\n"
    nothing_is_left(tmp_path)


BOUNDED = (
    LIFE
    + """
LONG = "name: long\\nworkspace: ./long\\ninstrument: cli\\n" \\
    "sheets: [{name: a, prompt: 'true # forty characters and more of them'}]\\n"

async def refused(manager):
    answer = await manager.submit_job(JobRequest(config_path=Path("long.yaml")))
    assert answer.status == "rejected", answer
    assert "about 10 tokens, preflight.token_error_threshold is 5" in answer.message, answer

async def main():
    for wrong in ({"token_warning_threshold": 5, "token_error_threshold": 5},
                  {"token_error_threshold": -1}):
        try:
            JobService(**wrong)
        except ValueError as error:
            assert "token_" in str(error)
        else:
            raise AssertionError(wrong)
    Path("long.yaml").write_text(LONG)
    service = JobService(token_warning_threshold=2, token_error_threshold=5)
    manager = JobManager(DaemonConfig(), service=service)
    await manager.start()
    await refused(manager)
    manager.apply_config(DaemonConfig(max_concurrent_sheets=3))
    assert manager.config.preflight.tokens == (2, 5)
    while (await manager.scheduler.get_stats()).max_concurrent != 3:
        await asyncio.sleep(0.02)
    await refused(manager)
    reload = await asyncio.create_subprocess_exec(
        MARIANNE, "reload", "--json", stdout=asyncio.subprocess.PIPE
    )
    told = json.loads((await reload.communicate())[0])
    assert told["applied"] == ["max_concurrent_sheets"], told
    assert manager.config.max_concurrent_sheets == DaemonConfig().max_concurrent_sheets
    await refused(manager)
    await manager.shutdown()
    print("all is well")

import json, sys
MARIANNE = str(Path(sys.executable).with_name("marianne"))
asyncio.run(main())
"""
)


def test_a_programs_own_bounds_of_prompts_hold_whatever_configuration_comes(
    tmp_path: Path,
) -> None:
    assert ends(tmp_path, BOUNDED) == "all is well\n"
