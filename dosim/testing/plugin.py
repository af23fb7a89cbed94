"""The pytest plugin "dosim". pytest loads it by itself wherever dosim is installed, so it imports next to nothing.

A test that fails and has made simulations gets a section "dosim" in its report: for each simulation how to make it
again, its virtual time, its digest. `--dosim-determinism` runs each test that makes simulations twice and fails those
that differ; `--dosim-determinism=full` also runs each in fresh processes with other values of PYTHONHASHSEED.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator
from typing import Any, Final
from weakref import ref

import pytest

from dosim.kernel.making import making

#: In a process that the plugin has started: a number and a folder, "1:/tmp/dosim-x", where its run is written to.
CHILD: Final = "DOSIM_DETERMINISM_OUT"

#: A failing test that made very many (a property's, say) shows the last of them.
_SHOWN: Final = 3
#: A digest of more records than this would take seconds.
_MOST_RECORDS: Final = 200_000
#: Notes of an exception with these words say how to come there again; they are repeated in the section.
_REPLAY: Final = ("replay: ", "dosim replay ")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dosim", "dosim, the simulator of Durable Objects")
    group.addoption(
        "--dosim-determinism",
        action="store_const",
        const="here",
        dest="dosim_determinism",
        help="run each test that makes a simulation twice, and fail it when the two runs differ",
    )
    # An option of its own: with an optional value, pytest would take the path that follows for the value.
    group.addoption(
        "--dosim-determinism=full",
        action="store_const",
        const="full",
        dest="dosim_determinism",
        help="also run each in fresh processes with other values of PYTHONHASHSEED",
    )


def pytest_configure(config: pytest.Config) -> None:
    child, mode = os.environ.pop(CHILD, ""), config.getoption("dosim_determinism", None)
    if child:
        from dosim.testing.plugin_determinism import Once

        layout, _, folder = child.partition(":")
        config.pluginmanager.register(Once(folder, int(layout)), "dosim-determinism")
    elif mode:
        from dosim.testing.plugin_determinism import Twice

        config.pluginmanager.register(Twice(mode), "dosim-determinism")


class Seen:
    """The last simulations that a test has made, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self._last: deque[tuple[ref[Any], Any, str]] = deque(maxlen=_SHOWN)

    def watch(self, simulation: Any) -> None:
        self.count += 1
        world = simulation.world
        # What a chooser decides comes later: without the simulation nothing is said of it.
        self._last.append((ref(simulation), world.trace, world.replay if world.chooser is None else ""))

    def told(self) -> list[str]:
        """Each simulation in two lines."""
        lines = []
        first = self.count - len(self._last) + 1
        if first > 1:
            lines.append(f"{self.count} simulations were made; the last {len(self._last)}:")
        for number, (simulation, trace, replay) in enumerate(self._last, first):
            lines += _told(number, simulation(), trace, replay)
        return lines


_SEEN: Final = pytest.StashKey[Seen]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.stash[_SEEN] = seen = Seen()
    making.append(seen.watch)
    try:
        return (yield)
    finally:
        making.remove(seen.watch)
        del item.stash[_SEEN]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    seen = item.stash.get(_SEEN, None)
    if report.failed and call.excinfo is not None and seen is not None and seen.count:
        lines = seen.told() + _replay_notes(call.excinfo.value)
        report.sections.append(("dosim", "\n".join(lines)))
    return report


def _told(number: int, simulation: Any, trace: Any, replay: str) -> list[str]:
    if simulation is not None:
        now_us, replay = simulation.world.loop.time_us(), simulation.world.replay
    else:
        now_us = max((raw[0] for raw in trace.raw), default=0)
    if trace.retention != "full" or trace.count > _MOST_RECORDS:
        digest = "digest not taken"
    else:
        digest = f"digest {trace.digest[:16]}"
    lines = [f"simulation {number}: t={now_us / 1e6:.6f}s, records: {trace.count}, {digest}"]
    return [*lines, f"  replay: {replay}"] if replay else lines


def _replay_notes(error: BaseException | None) -> list[str]:
    """The lines of an exception's notes, and of those that led to it, that say how to come there again."""
    lines: dict[str, None] = {}
    while error is not None:
        notes = "\n".join(map(str, getattr(error, "__notes__", ())))
        lines.update((line.strip(), None) for line in notes.splitlines() if any(word in line for word in _REPLAY))
        error = error.__cause__ or error.__context__
    return list(lines)
