"""scripts/mutants conductor [--only WORD] [--list]: faults of the conductor and of its workers.

Each breaks one promise of docs/operations.md or docs/protocol.md. The nearest tests are asked
first, then the soak; ``--by soak`` asks it alone.
"""

from __future__ import annotations

import sys

from mutant_frame import Check, Plant, main, pytest

SOAK = Check(
    "soak",
    (
        "scripts/chaos_parts/soak.py", "--seed", "1", "--minutes", "0.9", "--rate", "2.0",
        "--settle", "90",
    ),
    400.0,
)  # fmt: skip

_LOST, _STOP = "tests/e2e/test_nothing_lost.py", "tests/e2e/test_stop_order.py"
_SCENARIOS = "tests/actors/test_actor_scenarios.py"
_TOLD = """\
        # Only now: who starts to watch before this is told after it, and finds the names free.
        with self._lock:
            self.reason = reason
            monitors, self.monitors = self.monitors, {}
        for monitor in monitors:
            monitor.deliver(reason)
"""

PLANTS = (
    Plant(
        "a result is acknowledged before its commit",
        "marianne/daemon/job/machine.py",
        "        step.now.append(Release(row.num))\n"
        "        step.after.append(Acknowledge(result.serial))\n",
        "        step.now.append(Release(row.num))\n"
        "        step.now.append(Acknowledge(result.serial))\n",
        (pytest("tests/marianne/daemon/test_job_machine.py"), SOAK),
    ),
    Plant(
        "a write is answered before its commit",
        "marianne/daemon/services/store.py",
        "        self._waiting.append(_Waiting(changes, promise, owner, kept))\n",
        "        self._waiting.append(_Waiting(changes, self.promise(), owner, kept))\n"
        "        promise.set([])\n",
        (pytest("tests/marianne/daemon/test_store_actor.py"), SOAK),
    ),
    Plant(
        "a name is released after the end was told",
        "actors/cell.py",
        "        self.system.forget(self, reason)\n" + _TOLD,
        _TOLD + "        self.system.forget(self, reason)\n",
        (pytest(f"{_SCENARIOS}::test_who_hears_of_an_end_finds_the_name_free"),),
    ),
    Plant(
        "an attempt's number is not claimed",
        "marianne/run/spool.py",
        "        self._write(record)\n        self._open[num, attempt] = record\n",
        "        self._open[num, attempt] = record\n",
        (pytest("tests/marianne/run/test_spool.py"), SOAK),
    ),
    Plant(
        "a gap in the events",
        "marianne/state/apply.py",
        "        seq = self.seq + 1\n",
        "        seq = self.seq + 1 + (change.event == 'sheet.retrying')\n",
        (pytest("tests/marianne/state/test_database.py"), SOAK),
    ),
    Plant(
        "a need is ignored",
        "marianne/schedule/queue.py",
        "        if needs or upper in job.waiting or upper in job.holding:\n",
        "        if upper in job.waiting or upper in job.holding:\n",
        (pytest("tests/marianne/schedule/test_sheet_queue.py"), SOAK),
    ),
    Plant(
        "a limit of sheets is off by one",
        "marianne/schedule/order.py",
        "        self.scripts = Slots(max_concurrent)\n",
        "        self.scripts = Slots(max_concurrent + 1)\n",
        (pytest("tests/marianne/schedule/test_sheet_queue.py"), SOAK),
    ),
    Plant(
        "a limit of jobs is off by one",
        "marianne/daemon/jobs/admission.py",
        "        return self._context.config.max_concurrent_jobs - self._live.admitted\n",
        "        return self._context.config.max_concurrent_jobs - self._live.admitted + 1\n",
        (SOAK,),
    ),
    Plant(
        "a spool is not read at a takeover",
        "marianne/run/spool.py",
        '                self._unacked[record["serial"]] = record\n'
        '                self._open.pop((record["num"], record["attempt"]), None)\n',
        '                self._open.pop((record["num"], record["attempt"]), None)\n',
        (pytest("tests/marianne/run/test_spool.py"), SOAK),
    ),
    Plant(
        "an orphan is not swept",
        "marianne/run/confine.py",
        "    sweep(look, grace, patience)\n    return sorted(found)\n",
        "    list(look())\n    return sorted(found)\n",
        (pytest("tests/marianne/run/test_confine.py"), SOAK),
    ),
    Plant(
        "a request that is sent again acts again",
        "marianne/daemon/shared/idempotency.py",
        "        if kept is not None:\n            promise.set(",
        "        if kept is not None and False:\n            promise.set(",
        (pytest(_LOST, "-k", "between_commit_and_reply"), SOAK),
    ),
    Plant(
        "a wish to stop is forgotten",
        "marianne/run/stop_order.py",
        '    _write(home, [mode, heart, "" if until is None else str(until)])\n',
        "    return\n",
        (pytest(_STOP, "-k", "carried_out_by_the_next_start"), SOAK),
    ),
    Plant(
        "a wake-up of admission is lost",
        "marianne/daemon/jobs/actor.py",
        "        self._admission.admit(lined_up=row.status.terminal)\n",
        "        pass\n",
        (pytest("tests/marianne/daemon/test_admission_starts.py"), SOAK),
    ),
    Plant(
        "finished work is forgotten when its job is put away",
        "marianne/daemon/job/catch_up.py",
        "    for record in finished:\n",
        "    for record in ():\n",
        (pytest("tests/marianne/daemon/test_admission_starts.py"), SOAK),
    ),
)

if __name__ == "__main__":
    sys.exit(main(PLANTS, sys.argv[1:], __doc__.split("\n")[0]))
