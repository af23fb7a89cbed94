"""New code meets old data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dosim.simulation import Simulation
from dosim.testing.invariants.violations import at, of_kinds, violated
from dosim.trace.words import cut, last_line

_NAME: Final = "migrates_from_any_version"
_OBJECT: Final = "an old one"
_ABSENT: Final = object()


def migrates_from_any_version(
    versions: Sequence[type],
    *,
    write: Callable[[Any, int], Any],
    read: Callable[[Any], Any],
    expected: Any = _ABSENT,
    crash: bool = True,
    **options: Any,
) -> int:
    """An object that was last awake under any older version of its class wakes well under the newest.

    Why people get it wrong: a migration is tried on the database of yesterday. Objects migrate one by one, when they
    wake, and some sleep for a year: version n + 1 meets the data of 1, 2, … n. "Add the column" then meets a table
    that has it, or one that lacks two. And a migration with an await in it may end between two commits: the machine
    goes, and the next constructor finds the half that was done. A version number in storage, steps from each version
    to the next, each in one turn with the new number, and both are harmless.
    Source: durable-objects/reference/durable-objects-migrations (a class's migrations are about classes, not data),
    durable-objects/best-practices/access-durable-objects-storage. Seen in the field: caught locally, crashes in
    production (lambrospetrou/durable-utils#13); dormant objects keep old schemas (cheatcode-ai/cheatcode#63).

    versions: the classes, oldest first, the newest last. write: `write(stub, version)` fills an object under version 1,
    2, …; returns a call of the stub, or a coroutine. read: `read(stub)` asks the newest, likewise. expected: what every
    read has to answer; unless told, that it answers at all, and after crashes the same as without. crash: also crash
    the machine after each commit of the first wake that was confirmed, and read again. options: of `Simulation`.
    Returns how many wakes were tried. Raises InvariantViolated with the version and the commit; ValueError or TypeError
    that name the argument.
    """
    classes = list(versions)
    if len(classes) < 2 or not all(isinstance(one, type) for one in classes):
        raise ValueError(f"versions={versions!r}: give at least two classes, the oldest first, the newest last.")
    tried = 0
    for number in range(1, len(classes)):
        calm = _Wake(classes, number, write, read, options)
        answer = calm.read()
        tried += 1
        if expected is not _ABSENT and answer != expected:
            raise calm.violated(f"it answered {cut(repr(answer), 200)}, and {cut(repr(expected), 200)} was expected")
        for commit in range(1, calm.commits() + 1) if crash else ():
            crashed = _Wake(classes, number, write, read, options)
            crashed.crash_after(commit)
            again = crashed.read(f" after a crash behind commit {commit} of its first wake")
            tried += 1
            if again != answer:
                raise crashed.violated(
                    f"the machine crashed when commit {commit} of its first wake was confirmed; then it answered"
                    f" {cut(repr(again), 200)}, and without the crash {cut(repr(answer), 200)}"
                )
    return tried


class _Wake:
    """An object with the data of an old version, and the newest code deployed over it."""

    def __init__(
        self, classes: list[type], number: int, write: Callable[[Any, int], Any], read: Any, options: dict[str, Any]
    ) -> None:
        self._read, self._number, self._newest = read, number, len(classes)
        self.sim = sim = Simulation(durable_objects={"OBJECT": classes[number - 1]}, **options)
        sim.run(write(self._stub(), number))
        sim.run(for_="1m")  # it leaves memory
        self._label = sim.objects[0].label
        sim.deploy(durable_objects={"OBJECT": classes[-1]})
        self._since = sim.trace.count

    def _stub(self) -> Any:
        return self.sim.env.OBJECT.getByName(_OBJECT)

    def commits(self) -> int:
        """How often the object has committed since the deploy."""
        raws = of_kinds(self.sim.trace, "commit")
        return sum(raw[1] > self._since and raw[3] == self._label for raw in raws)

    def read(self, when: str = "") -> Any:
        """What the newest version answers. Raises InvariantViolated when it fails."""
        try:
            return self.sim.run(self._read(self._stub()))
        except Exception as error:
            raise self.violated(f"it failed{when}: {cut(last_line(error), 300)}") from error

    def crash_after(self, commit: int) -> None:
        """Wake it, and crash its machine when so many commits are confirmed."""
        sim = self.sim
        waking = sim._runner._future(self._read(self._stub()))
        waking.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody hears of it
        while self.commits() < commit and sim.step():
            pass
        sim.run(for_=f"{sim.world.platform.confirm_us}us")
        sim.crash(self._label)
        sim.run(for_="1s")

    def violated(self, story: str) -> Exception:
        return violated(
            self.sim,
            _NAME,
            f"{self._label} was filled under version {self._number} and woken under version {self._newest}: {story}"
            f" (at {at(self.sim.now.us)}).",
            at_us=self.sim.now.us,
        )
