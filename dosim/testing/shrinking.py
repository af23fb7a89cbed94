"""Shrinking: from a schedule that breaks a test to the smallest one that breaks it in the same way.

Delta debugging (Zeller, Hildebrandt 2002) over the deviations: halves are left out, then quarters, then single ones;
then each choice that is left is made smaller. What is kept fails at the same place with the same error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dosim.kernel.chooser import Schedule
from dosim.testing.subjects import Outcome

#: Runs that shrinking may take, at most.
SHRINK_RUNS = 600


class Shrinker:
    """Makes a failing outcome smaller; `runs` counts what it took.

    allowed: kind of decision -> the choices that may be tried; of an order by place, and of kinds not in it, all.
    """

    def __init__(
        self,
        run: Callable[[Schedule], Outcome],
        failing: Outcome,
        most_runs: int = SHRINK_RUNS,
        allowed: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._run = run
        self._allowed = allowed or {}
        self._left = most_runs
        self._tried: set[Schedule] = {failing.schedule}
        self.best = failing
        self.runs = 0

    def shrink(self) -> Outcome:
        """The smallest outcome found that fails in the same way."""
        before = None
        while before != self.best.schedule and self._left > 0:
            before = self.best.schedule
            self._leave_out()
            self._lower()
        return self.best

    def _fails(self, schedule: Schedule) -> bool:
        if schedule in self._tried or self._left <= 0:
            return False
        self._tried.add(schedule)
        self._left -= 1
        self.runs += 1
        outcome = self._run(schedule)
        if outcome.signature != self.best.signature or _size(outcome.schedule) >= _size(self.best.schedule):
            return False
        self.best = outcome
        return True

    def _leave_out(self) -> None:
        part = max(1, len(self.best.schedule) // 2)
        while part and self._left > 0:
            at = 0
            while at < len(self.best.schedule):
                decisions = list(self.best.schedule)
                kept = decisions[:at] + decisions[at + part :]
                if not self._fails(Schedule({decision: self.best.schedule[decision] for decision in kept})):
                    at += part
            part //= 2

    def _lower(self) -> None:
        for decision in list(self.best.schedule):
            choice = self.best.schedule.get(decision, 0)
            names = self._allowed.get(decision[0])
            for smaller in range(1, choice):
                if (not names or smaller in names) and self._fails(self.best.schedule | {decision: smaller}):
                    break


def _size(schedule: Schedule) -> tuple[int, int]:
    return len(schedule), sum(schedule.values())
