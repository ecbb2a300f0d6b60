"""scripts/mutants actors [--only WORD] [--list]: faults of the supervision package.

Each is a mistake that somebody could make; the tests named beside it must notice. The first eight
once went unseen by all tests.
"""

from __future__ import annotations

import sys

from mutant_frame import Check, Plant, main, pytest


def test(name: str) -> tuple[Check, ...]:
    return (pytest(f"tests/actors/{name}"),)


PLANTS = (
    Plant(
        "a monitor set at the end is missed",
        "actors/cell.py",
        "            self.reason = reason\n"
        "            monitors, self.monitors = self.monitors, {}\n",
        "            monitors, self.monitors = self.monitors, {}\n        self.reason = reason\n",
        test("test_actor_scenarios.py::test_whoever_watches_at_the_moment_of_an_end_is_told_once"),
    ),
    Plant(
        "a stale retry counts",
        "actors/strategy.py",
        " and child.token == token:",
        ":",
        test(
            "test_actor_scenarios.py::test_a_restart_that_was_overtaken_by_a_request_does_not_come_any_more"
        ),
    ),
    Plant(
        "the window of restarts begins again",
        "actors/pace.py",
        "            times.popleft()\n",
        "            times.clear()\n            times.append(now)\n",
        test("test_actor_scenarios.py::test_the_window_of_restarts_slides_and_has_both_its_ends"),
    ),
    Plant(
        "a failed boot stops in the order of starts",
        "actors/strategy.py",
        '        yield Report("start_failed", child, reason)\n'
        "        yield from self._stop_all(list(self.children.values()))\n",
        '        yield Report("start_failed", child, reason)\n'
        "        yield from self._stop_all(list(self.children.values())[::-1])\n",
        test(
            "test_actor_scenarios.py::test_children_and_groups_of_a_failed_boot_are_stopped_the_last_started_first"
        ),
    ),
    Plant(
        "supervisors are stopped last",
        "actors/strategy.py",
        "        for child in reversed(group):",
        "        for child in sorted(group[::-1], key=lambda c: c.spec.type != 'worker'):",
        test("test_actor_scenarios.py::test_a_group_is_stopped_in_its_place_among_its_siblings"),
    ),
    Plant(
        "a name is free before its owner's on_stop",
        "actors/cell.py",
        "            try:\n                if self.of_pykka:",
        "            self.system.registry.forget(self)\n"
        "            try:\n"
        "                if self.of_pykka:",
        test("test_actor_scenarios.py::test_a_name_is_its_owners_until_on_stop_has_returned"),
    ),
    Plant(
        "the cycle's edge is drawn after the look",
        "actors/cell.py",
        "        edge = self.awaits = (other, until)\n"
        "        if other.awaits is None:\n"
        "            return before\n",
        "        edge = (other, until)\n"
        "        if other.awaits is None:\n"
        "            self.awaits = edge\n"
        "            return before\n"
        "        self.awaits = edge\n",
        test("test_actor_asking.py::test_the_own_edge_is_drawn_before_the_others_are_looked_at"),
    ),
    Plant(
        "a process exit is missed",
        "actors/processes.py",
        "        with self._lock:\n"
        "            if not process.exited.done:\n"
        "                self._watchers",
        "        done = process.exited.done\n"
        "        with self._lock:\n"
        "            if not done:\n"
        "                self._watchers",
        test(
            "test_actor_scenarios.py::test_whoever_watches_a_process_at_the_moment_of_its_exit_is_told_once"
        ),
    ),
    Plant(
        "a killed incarnation can still send",
        "actors/address.py",
        "        if me is not None and me.fenced:\n            raise Fenced\n"
        "        if cell is None",
        "        if cell is None",
        test("test_actor_scenarios.py::test_a_killed_incarnation_sends_nothing_any_more"),
    ),
    Plant(
        "each child of a pool has its grace after the others",
        "actors/supervisor.py",
        "ends_by(begun + grace)",
        "ends_by(self._now() + grace)",
        test(
            "test_actor_scenarios.py::test_a_pool_gives_all_its_children_the_same_grace_at_the_same_time"
        ),
    ),
    Plant(
        "the window of restarts is too short",
        "actors/pace.py",
        "while times[0] < now",
        "while times[0] <= now",
        test("test_otp_restart.py::test_the_window_is_inclusive"),
    ),
    Plant(
        "DOWNs overtake messages",
        "actors/mailbox.py",
        "            self.user.append(kind(message))\n",
        "            self.user.append(kind(message))\n            self.user.rotate(1)\n",
        test("test_actor_down_order.py::test_the_last_words_of_an_actor_are_heard_before_its_end"),
    ),
    Plant(
        "failed attempts do not count",
        "actors/strategy.py",
        'state == "restarting" and child.token == token:\n',
        'state == "restarting" and child.token == token:\n'
        "            self._intensity = Intensity(self._intensity.limit, 5.0)\n",
        test("test_otp_restart.py::test_trace_failing_starts_count_as_restarts"),
    ),
    Plant(
        "a bystander that is temporary comes back",
        "actors/strategy.py",
        " if member.spec.id in self.children]\n",
        "]\n",
        test("test_otp_restart.py::test_temporary_bystander"),
    ),
    Plant(
        "an unread ask is not answered",
        "actors/cell.py",
        "                message[3].died(reason)",
        "                pass",
        test("test_actor_ask_race.py::test_no_ask_is_lost_when_its_actor_ends"),
    ),
    Plant(
        "an earlier timer does not wake the clock",
        "actors/timers.py",
        "            if self._heap[0][2] is timer:\n                self._rouse()\n",
        "",
        test("test_actor_timers.py::test_an_earlier_timer_wakes_the_sleeping_thread"),
    ),
    Plant(
        "two may answer",
        "actors/future.py",
        "        if not self._claim.acquire(False):\n",
        "        if self._done:\n",
        test("test_actor_scenarios.py::test_of_several_that_answer_at_once_one_is_heard"),
    ),
    Plant(
        "a killed supervisor leaves its children",
        "actors/cell.py",
        "        below = self._below()\n",
        "        below: list[Cell] = []\n",
        test(
            "test_actor_kill.py::test_a_killed_supervisor_leaves_no_child_behind_under_any_schedule"
        ),
    ),
    Plant(
        "pykka is the base of an actor no more",
        "actors/actor.py",
        "    _Base = ThreadingActor\n",
        "    _Base = object\n",
        test(
            "test_actor_as_pykka.py::test_start_returns_a_ref_of_pykka_itself_that_tells_asks_and_stops"
        ),
    ),
    Plant(
        "pykka's registry keeps the dead",
        "actors/as_pykka.py",
        "        ActorRegistry.unregister(actor.actor_ref)\n",
        "",
        test(
            "test_actor_plain_pykka.py::test_what_ends_a_plain_child_by_pykkas_rules_is_a_crash_and_is_restarted"
        ),
    ),
    Plant(
        "what a pykka ref asked and nobody served is not answered",
        "actors/as_pykka.py",
        "        self.settle(None, dead)\n",
        "",
        test("test_actor_plain_pykka.py::test_no_ask_of_a_pykka_ref_is_lost_when_its_actor_ends"),
    ),
    Plant(
        "a plain pykka class ends before its turn",
        "actors/plain_pykka.py",
        "        stop = ThreadingActor.stop  # it waits its turn\n",
        "        pass\n",
        test("test_actor_plain_pykka.py::test_its_own_stop_waits_its_turn_and_is_a_normal_end"),
    ),
)

if __name__ == "__main__":
    sys.exit(main(PLANTS, sys.argv[1:], __doc__.split("\n")[0]))
