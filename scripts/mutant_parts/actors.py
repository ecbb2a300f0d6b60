"""Faults in the supervision package, each a mistake that somebody could make."""

from __future__ import annotations

from _frame import Plant

TESTS = ["tests/actors"]

PLANTS = [
    Plant(
        "a monitor set at the end is missed",
        "actors/cell.py",
        "tests/actors/test_actor_scenarios.py::test_whoever_watches_at_the_moment_of_an_end_is_told_once",
        (
            (
                (
                    "            self.reason = reason\n"
                    "            monitors, self.monitors = self.monitors, {}\n"
                ),
                (
                    "            monitors, self.monitors = self.monitors, {}\n"
                    "        self.reason = reason\n"
                ),
            ),
        ),
    ),
    Plant(
        "a stale retry counts",
        "actors/strategy.py",
        "tests/actors/test_actor_scenarios.py::test_a_restart_that_was_overtaken_by_a_request_does_not_come_any_more",
        ((" and child.token == token:", ":"),),
    ),
    Plant(
        "the window of restarts begins again",
        "actors/intensity.py",
        "tests/actors/test_actor_scenarios.py::test_the_window_of_restarts_slides_and_has_both_its_ends",
        (
            (
                "            times.popleft()\n",
                ("            times.clear()\n            times.append(now)\n"),
            ),
        ),
    ),
    Plant(
        "a failed boot stops in the order of starts",
        "actors/strategy.py",
        "tests/actors/test_actor_scenarios.py::test_children_and_groups_of_a_failed_boot_are_stopped_the_last_started_first",
        (
            (
                (
                    '        yield Report("start_failed", child, reason)\n'
                    "        yield from self._stop_all(list(self.children.values()))\n"
                ),
                (
                    '        yield Report("start_failed", child, reason)\n'
                    "        yield from self._stop_all(list(self.children.values())[::-1])\n"
                ),
            ),
        ),
    ),
    Plant(
        "supervisors are stopped last",
        "actors/strategy.py",
        "tests/actors/test_actor_scenarios.py::test_a_group_is_stopped_in_its_place_among_its_siblings",
        (
            (
                "        for child in reversed(group):",
                "        for child in sorted(group[::-1], key=lambda c: c.spec.type != 'worker'):",
            ),
        ),
    ),
    Plant(
        "a name is free before its owner's on_stop",
        "actors/cell.py",
        "tests/actors/test_actor_scenarios.py::test_a_name_is_its_owners_until_on_stop_has_returned",
        (
            (
                ("            try:\n                actor.on_stop(reason)"),
                (
                    "            self.system.registry.forget(self)\n"
                    "            try:\n"
                    "                actor.on_stop(reason)"
                ),
            ),
        ),
    ),
    Plant(
        "the cycle's edge is drawn after the look",
        "actors/cell.py",
        "tests/actors/test_actor_scenarios.py::test_of_two_that_ask_each_other_at_once_one_is_told_at_once",
        (
            ("edge = self.awaits = (other, until)", "edge = (other, until)"),
            (
                ("            edge = waited_for.awaits\n        return before\n"),
                (
                    "            edge = waited_for.awaits\n"
                    "        self.awaits = (other, until)\n"
                    "        return before\n"
                ),
            ),
        ),
    ),
    Plant(
        "a process exit is missed",
        "actors/processes.py",
        "tests/actors/test_actor_scenarios.py::test_whoever_watches_a_process_at_the_moment_of_its_exit_is_told_once",
        (
            (
                (
                    "        with self._lock:\n"
                    "            if not process.exited.done:\n"
                    "                self._watchers"
                ),
                (
                    "        done = process.exited.done\n"
                    "        with self._lock:\n"
                    "            if not done:\n"
                    "                self._watchers"
                ),
            ),
        ),
    ),
    Plant(
        "a killed incarnation can still send",
        "actors/cell.py",
        "tests/actors/test_actor_scenarios.py::test_a_killed_incarnation_sends_nothing_any_more",
        (
            (
                "        if me is not None and me.fenced:\n"
                "            raise Fenced\n"
                "        name = method",
                "        name = method",
            ),
        ),
    ),
    Plant(
        "each child of a pool has its grace after the others",
        "actors/supervisor.py",
        "tests/actors/test_actor_scenarios.py::test_a_pool_gives_all_its_children_the_same_grace_at_the_same_time",
        (("max(0.0, begun + grace - self._now())", "grace"),),
    ),
    Plant(
        "the window of restarts is too short",
        "actors/intensity.py",
        "tests/actors/test_otp_restart.py::test_the_window_is_inclusive",
        (("while times[0] < now", "while times[0] <= now"),),
    ),
    Plant(
        "DOWNs overtake messages",
        "actors/mailbox.py",
        "tests/actors/test_actor_down_order.py::test_the_last_words_of_an_actor_are_heard_before_its_end",
        (
            (
                "                self._append(kind(message))\n",
                "                self._append(kind(message))\n"
                "                self.user.rotate(1)\n",
            ),
        ),
    ),
    Plant(
        "failed attempts do not count",
        "actors/strategy.py",
        "tests/actors/test_otp_restart.py::test_trace_failing_starts_count_as_restarts",
        (
            (
                ('state == "restarting" and child.token == token:\n'),
                (
                    'state == "restarting" and child.token == token:\n'
                    "            self._intensity = Intensity(self._intensity.limit, 5.0)\n"
                ),
            ),
        ),
    ),
    Plant(
        "a bystander that is temporary comes back",
        "actors/strategy.py",
        "tests/actors/test_otp_restart.py::test_temporary_bystander",
        (
            (
                " if member.spec.id in self.children]\n",
                "]\n",
            ),
        ),
    ),
    Plant(
        "an unread ask is not answered",
        "actors/cell.py",
        "tests/actors/test_actor_ask_race.py::test_no_ask_is_lost_when_its_actor_ends",
        (("                message[3].died(reason)", "                pass"),),
    ),
    Plant(
        "an earlier timer does not wake the clock",
        "actors/timers.py",
        "tests/actors/test_actor_timers.py::test_an_earlier_timer_wakes_the_sleeping_thread",
        ((("            if self._heap[0][2] is timer:\n                self._rouse()\n"), ""),),
    ),
    Plant(
        "two may answer",
        "actors/future.py",
        "tests/actors/test_actor_scenarios.py::test_of_several_that_answer_at_once_one_is_heard",
        (("        if not self._claim.acquire(False):\n", "        if self._done:\n"),),
    ),
    Plant(
        "a killed supervisor leaves its children",
        "actors/cell.py",
        "tests/actors/test_actor_kill.py::test_a_killed_supervisor_leaves_no_child_behind_under_any_schedule",
        (("                below.kill()\n", "                pass\n"),),
    ),
]
