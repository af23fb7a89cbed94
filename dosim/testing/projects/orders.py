"""Equivalence to some order: what operations that overlap answer, and what is left, they do one after the other too.

Serialisability, tested from outside (Herlihy, Wing 1990 ask more: that the order respects time; nothing here does). The
operations are run in every order, and what was seen with them under way together must be one of these outcomes. Some
differences are no mistakes, and are let pass:

- an answer to an operation that changes nothing: it may look at work that is half done (a status, a progress);
- an answer to a request for which the Worker asks objects several times: its parts were never promised to be one; and
  whatever comes of one that makes more than three calls;
- an operation that refuses (an error raised on purpose, "busy", a status of 400 or more), and then has no effect;
- one that failed because of a fault: its effect may have happened or not;
- entries of a list that are all there, in an order of their own;
- whatever comes of a program in which an alarm rings, or an object is reset by its own code, for that has a place of
  its own in every order; and of one in which what went before was answered in another way already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations, permutations
from typing import Any, Final

from dosim.kernel.chooser import FAULTS, exploring
from dosim.testing.invariants.violations import InvariantViolated
from dosim.testing.projects.driving import OTHER_WAYS, PLAIN_WAY, Run, Way, accident_in, drive
from dosim.testing.projects.masks import Path as MaskPath
from dosim.testing.projects.masks import canonical
from dosim.testing.projects.rules import Rule, new_accident, shown
from dosim.trace.words import cut

#: What may pass between two operations in an order: their own time, as good as none, and plenty.
_GAPS: Final = (PLAIN_WAY.gap, "1ms", "20s")
#: Calls that a Worker's request may make and still be looked at as one step (read, compute, write).
_CALLS: Final = 3
#: Draws of late messages.
_LATE: Final = (1, 2, 3)
_NONE: Final = frozenset[MaskPath]()


class Serial(Rule):
    """Operations under way at the same time have the effect of some order of them."""

    word = "serial"
    says = "Operations that are under way at the same time have the effect of some order of them."

    def __call__(self) -> None:
        observed = drive(self.folder, self.program, self._way)
        self._check_errors(observed)
        self._check(observed)

    @property
    def _way(self) -> Way:
        """Idle objects stay in memory: what they lose there is another rule's."""
        return Way(remember=self.classes)

    @property
    def _place(self) -> int:
        place = self.program.together
        return len(self.program.steps) - 1 if place is None else place

    # -- errors

    def _check_errors(self, observed: Run) -> None:
        if not observed.accidents or _faulted():
            return
        text = new_accident(observed, self._all_orders())
        if text:
            story = f"{cut(text, 300)} is thrown, and is not when the same operations come one after the other."
            raise self._broken(observed.simulation, "raises_in_some_order", story, observed.accidents[text])

    # -- answers

    def _check(self, observed: Run) -> None:
        if any(self._outcome(observed, _NONE) == self._outcome(run, _NONE) for run in self._orders(_GAPS[0])):
            return
        runs = self._all_orders()
        if observed.disturbed or any(run.disturbed or self._is_script(run) for run in runs):
            return
        masks = self._masks()
        seen, loose = self._outcome(observed, masks), self._loose(runs)
        if any(seen == self._outcome(run, masks) for run in runs):
            return
        if self._before(observed, masks) not in [self._before(run, masks) for run in runs]:
            return
        eased = self._outcome(observed, masks, loose)
        if any(eased == self._outcome(run, masks, loose) for run in runs):
            return
        if self._fits_without(observed, runs, masks, loose):
            return
        if _faulted() and any(failed(part.told) for part in self._parts(observed) if part.key[0] > self._place):
            return  # the fault has hit those who look at what is left
        raise self._violated(observed)

    def _is_script(self, run: Run) -> bool:
        """Whether one of the requests is a whole sequence of calls, which nobody takes for one step."""
        return any(count > _CALLS for (place, _), count in run.calls.items() if place == self._place)

    def _orders(self, gap: str, without: frozenset[int] = frozenset()) -> Iterator[Run]:
        """The operations one after the other, in every order, perhaps without some of them."""
        numbers = [number for number in range(len(self.program.steps[self._place])) if number not in without]
        for order in permutations(numbers):
            yield self._aside(replace(self._way, gap=gap, order=order))

    def _all_orders(self) -> list[Run]:
        return [run for gap in _GAPS for run in self._orders(gap)]

    def _masks(self) -> frozenset[MaskPath]:
        """What varies from day to day, and with the messages' delays, in the first order and in the last."""
        numbers = tuple(range(len(self.program.steps[self._place])))
        ways = [replace(self._way, order=order) for order in (numbers, numbers[::-1])]
        others = [
            [way.on_day_of(other) for other in OTHER_WAYS] + [replace(way, late=n) for n in _LATE] for way in ways
        ]
        return self._varying(
            *([self._aside(way), *map(self._aside, more)] for way, more in zip(ways, others, strict=True))
        )

    def _loose(self, runs: list[Run]) -> frozenset[int]:
        """The operations whose answers may be anything: those that change nothing, or are several in one."""
        place = self._place
        return frozenset(
            number
            for number in range(len(self.program.steps[place]))
            if not any((place, number) in run.wrote for run in runs)
            or any(run.calls.get((place, number), 0) > 1 for run in runs)
        )

    def _outcome(
        self,
        run: Run,
        masks: frozenset[MaskPath],
        loose: frozenset[int] | None = None,
        without: frozenset[int] = frozenset(),
    ) -> Any:
        """What is compared: answers, and what sockets got later.

        loose: answers of which only counts whether they are errors; the order in lists does not count then.
        """
        said = []
        for part in self._parts(run):
            place, number = part.key
            if place < self._place or (place == self._place and (number in without or number < 0)):
                continue
            if place == self._place and loose is not None and number in loose:
                said.append((part.key, failed(part.told)))
            else:
                said.append((part.key, canonical(part.told, masks, (part.shape,), ordered=loose is None)))
        return said

    def _before(self, run: Run, masks: frozenset[MaskPath]) -> Any:
        """What went before the operations that were under way together."""
        parts = [part for part in self._parts(run) if part.key[0] < self._place]
        return [canonical(part.told, masks, (part.shape,)) for part in parts]

    def _fits_without(self, observed: Run, runs: list[Run], masks: frozenset[MaskPath], loose: frozenset[int]) -> bool:
        """Whether all is well when operations that refused, or were lost to a fault, have done nothing."""
        place = self._place
        refused, unheard = set[int](), set[int]()
        for number, operation in enumerate(self.program.steps[place]):
            told = observed.answers[place, number]
            answer = canonical(told, masks, (operation.shape,))
            usual = {canonical(run.answers[place, number], masks, (operation.shape,)) for run in runs}
            refuses = answer not in usual or "raised" in told or told.get("status", 200) >= 400
            if _faulted() and failed(told):
                unheard.add(number)  # perhaps it has happened all the same
            elif refuses and not accident_in(str(told.get("raised", ""))):
                refused.add(number)
        optional = sorted(refused | unheard)
        subsets = chain.from_iterable(combinations(optional, size) for size in range(len(optional) + 1))
        for subset in map(frozenset, subsets):
            silent = subset | unheard
            seen = self._outcome(observed, masks, loose, silent)
            for run in chain.from_iterable(self._orders(gap, subset) for gap in _GAPS):
                if seen == self._outcome(run, masks, loose, silent):
                    return True
        return False

    def _violated(self, observed: Run) -> InvariantViolated:
        outcomes: dict[str, None] = {}
        place = self._place
        numbers = range(len(self.program.steps[place]))
        for order in permutations(numbers):
            run = self._aside(replace(self._way, order=order))
            outcomes[self._told(run, order)] = None
        told = list(outcomes)
        more = f" ({len(told) - 3} more)" if len(told) > 3 else ""
        story = (
            f"under way together, {self._told(observed, tuple(numbers))}. No order of them has this outcome. One after"
            f" the other, {'; or '.join(told[:3])}{more}."
        )
        return self._broken(observed.simulation, "equals_some_order", story)

    def _told(self, run: Run, order: tuple[int, ...]) -> str:
        place = self._place
        first = [f"{self.program.steps[place][number]} → {shown(run.answers[place, number])}" for number in order]
        later = [
            f"{self._text(part.key)} → {shown(part.told)}"
            for part in self._parts(run)
            if part.key[0] > place and (part.key[1] >= 0 or part.told) and not self._is_pause(part.key)
        ]
        return ", ".join(first) + (f", and afterwards {', '.join(later)}" if later else "")

    def _is_pause(self, key: tuple[int, int]) -> bool:
        return key[1] >= 0 and self.program.steps[key[0]][key[1]].is_pause


def failed(told: Any) -> bool:
    """Whether an answer is an error."""
    return isinstance(told, dict) and ("raised" in told or told.get("status", 200) >= 500)


def _faulted() -> bool:
    """Whether a fault has come in the run that is explored now."""
    return bool(exploring) and any(deviation.decision[0] in FAULTS for deviation in exploring[-1].deviations)
