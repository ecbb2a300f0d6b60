"""What the documented members say and do, seen from a program that embeds a conductor."""

from __future__ import annotations

from pathlib import Path

from embedding_program import LIFE, ends, nothing_is_left

PAUSED = (
    LIFE
    + """
SCORE = "name: four\\nworkspace: ./four\\nsheets:\\n" + "".join(
    f"  - {{{{name: s{n}, run: 'touch here{n}; until test -e go; do sleep 0.02; done'}}}}\\n"
    for n in range(4)
)

async def main():
    manager = JobManager(DaemonConfig(max_concurrent_sheets=2))
    await manager.start()
    await submit(manager, "four", "")
    while len(list(Path("four").glob("here*"))) < 2:
        await asyncio.sleep(0.02)
    stats = await manager.scheduler.get_stats()
    assert (stats.active, stats.queued, manager.scheduler.queued_count) == (2, 2, 2), stats
    assert await manager.pause_job("four")
    assert (await manager.scheduler.get_stats()).queued == 0
    Path("four/go").touch()
    await reaches(manager, "four", "paused", "completed")
    status = await manager.get_job_status("four")
    assert (status["status"], status["progress"]["completed"]) == ("paused", 2), status
    assert len(list(Path("four").glob("here*"))) == 2
    await manager.shutdown()
    print("all is well")

asyncio.run(main())
"""
)


def test_of_a_job_that_pauses_no_further_sheet_runs(tmp_path: Path) -> None:
    assert ends(tmp_path, PAUSED) == "all is well\n"
    nothing_is_left(tmp_path)


LOOKED = (
    LIFE
    + """
import time
from marianne.daemon import monitor

async def main():
    group = ProcessGroupManager()
    config = DaemonConfig(monitor_interval_seconds=3600.0)
    given = ResourceMonitor(config.resource_limits)
    manager = JobManager(config, monitor=given, pgroup=group)
    await manager.start()
    assert manager.monitor is given and given.seconds_since_last_check < 60
    await submit(manager, "many", "for n in $(seq 30); do sleep 1000 & done; touch here; wait")
    while not Path("many/here").exists():
        await asyncio.sleep(0.02)
    assert given.snapshot.child_process_count < 30, "that was before"
    begun = time.monotonic()
    seen = await given.check_now()
    assert seen.timestamp >= begun and seen.child_process_count > 30, seen
    assert seen is given.snapshot and seen.running_jobs == 1 and seen.active_sheets == 1
    assert len(group.tracked) == 1, "the worker"
    assert given.current_memory_mb() == seen.memory_usage_mb and not seen.probe_failed
    given.update_limits(config.resource_limits.model_copy(update={"max_processes": 30}))
    assert not given.is_accepting_work() and not manager.backpressure.should_accept_job()
    assert manager.backpressure.rejection_reason() == "resource"
    assert await manager.backpressure.can_start_sheet() == (False, 60.0)
    assert (await submit(manager, "none", "echo")).status == "rejected"
    given.update_limits(config.resource_limits)
    assert given.is_accepting_work()
    assert await manager.cancel_job("many") and not group.tracked

    health, look = HealthChecker(manager, given), monitor.look
    def broken(*_):
        raise OSError("no /proc today")
    monitor.look = broken
    for number in range(5):
        assert not given.is_degraded
        assert (await given.check_now()).probe_failed
    assert given.is_degraded and given.current_memory_mb() is None
    told = await health.readiness()
    assert (told["status"], told["monitor_degraded"]) == ("not_ready", True), told
    monitor.look = look
    await given.check_now()
    assert not given.is_degraded and (await health.readiness())["status"] == "ready"

    for number in range(4):
        assert not manager.failure_rate_elevated
        job = f"crashing{number}"
        await submit(manager, job, "sleep 1000")
        while (await manager.get_job_status(job))["status"] != "failed":
            try:
                actor = manager.context.system.handle(Actor, f"job:{job}/job")
                manager.context.system.inject(actor.name, RuntimeError("a defect of ours"))
                actor.tell(Actor.on_idle)
            except NoSuchActor:
                pass
            await asyncio.sleep(0.02)
    assert manager.failure_rate_elevated
    told = await health.readiness()
    assert (told["status"], told["failure_rate_elevated"]) == ("not_ready", True), told
    assert (await manager.get_daemon_status())["failure_rate_elevated"]
    assert not manager.notifications_degraded
    manager.service.delivery.undelivered = 3
    assert manager.notifications_degraded and (await health.readiness())["notifications_degraded"]
    await manager.shutdown()
    told = await health.readiness()
    assert told["status"] == "not_ready" and (await health.liveness())["status"] == "ok"
    print("all is well")

from actors import Actor, NoSuchActor
asyncio.run(main())
"""
)


def test_a_program_sees_load_blindness_and_jobs_that_fail_unexpectedly(tmp_path: Path) -> None:
    # Before it a worker may say that it knows of an attempt what a new actor does not.
    assert ends(tmp_path, LOOKED).endswith("all is well\n")
    nothing_is_left(tmp_path)


ALONE = (
    LIFE
    + """
async def main():
    config, told = DaemonConfig(max_concurrent_sheets=2), []
    scheduler = GlobalSheetScheduler(config)
    sheets = [SheetInfo("j", n, backend_type="shell") for n in (1, 2, 3)]
    await scheduler.register_job("j", sheets, {3: {1, 2}})
    granted = [(await scheduler.next_sheet()).info.sheet_num for _ in range(2)]
    assert granted == [1, 2] and await scheduler.next_sheet() is None
    assert (scheduler.active_count, scheduler.queued_count) == (2, 0)
    for num in granted:
        await scheduler.mark_complete("j", num, True)

    class Held:
        async def can_start_sheet(self):
            await asyncio.sleep(0.01)
            return told != [], 0.0

    class Limits:
        def active_limits(self):
            return {"shell": 0.2}

    scheduler.set_backpressure(Held())
    assert await scheduler.next_sheet() is None
    told.append("the load has fallen")
    scheduler.set_rate_limiter(Limits())
    assert await scheduler.next_sheet() is None
    while (entry := await scheduler.next_sheet()) is None:
        await asyncio.sleep(0.05)
    assert (entry.info.sheet_num, entry.rate_limit_skip_count) == (3, 1)
    await scheduler.deregister_job("j")
    assert (await scheduler.get_stats()).max_concurrent == 2

    monitor = ResourceMonitor(config.resource_limits)
    assert not monitor.is_accepting_work() and monitor.seconds_since_last_check == float("inf")
    await monitor.start(0.05)
    first = monitor.snapshot
    assert first is not None
    while monitor.snapshot is first:
        await asyncio.sleep(0.02)
    assert monitor.is_accepting_work()
    await monitor.stop()
    last = monitor.snapshot
    await asyncio.sleep(0.3)  # six of its intervals
    assert monitor.snapshot is last

    class Seven:
        running_count = 7

    monitor.set_manager(Seven())
    assert (await monitor.check_now()).running_jobs == 7

    class Store:
        def check_diversity(self):
            told.append("checked")

    manager = JobManager(config)
    health = HealthChecker(manager, monitor, learning_store=Store())
    for _ in range(10):
        health.on_job_completed()
    assert told.count("checked") == 1
    await health.start_periodic_checks()
    await health.stop_periodic_checks()
    assert (await health.readiness())["status"] == "not_ready", "nothing was started"
    try:
        manager.scheduler
    except RuntimeError as error:
        assert "start()" in str(error)
    await manager.shutdown()
    assert await JobService().get_status("none", Path.cwd()) is None
    print("all is well")

asyncio.run(main())
"""
)


def test_each_class_can_be_used_alone(tmp_path: Path) -> None:
    assert ends(tmp_path, ALONE) == "all is well\n"
