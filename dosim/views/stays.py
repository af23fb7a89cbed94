"""The lives of objects as data: when each was in memory, what it kept, what befell it, without any drawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dosim.trace import Life, Stretch, Trace, lives

#: More objects than this do not fit a picture that can be read.
MOST_OBJECTS: Final = 16
#: States from the least to the most that can be said of a moment: what a pixel shows that holds several.
RANKS: Final = ("evicted", "hibernated", "idle", "held", "starting", "running")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that befell an object: "crash", "reset", "alarm", "wake" (a new instance after the first)."""

    at_us: int
    what: str
    text: str = ""


@dataclass(slots=True)
class Stay:
    """One object: its life, with when somebody came in; when it wrote, what befell it, what was known of its storage.

    `instances` are (number, from, to) of each life in memory; `stored` are (when, bytes) as the trace tells them.
    """

    life: Life
    instances: list[tuple[int, int, int]] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    stored: list[tuple[int, int]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.life.label

    @property
    def visits(self) -> list[int]:
        """When somebody came in."""
        return [at_us for at_us, _ in self.life.visits]

    @property
    def keeps_from_us(self) -> int | None:
        """Since when something is stored, as far as the trace tells; None if nothing ever was."""
        told = [at_us for at_us, size_bytes in self.stored if size_bytes]
        return min([*self.writes[:1], *told[:1]], default=None)


@dataclass(slots=True)
class Stays:
    """All lives of a picture, the moments of deploys, and how many objects did not fit."""

    objects: list[Stay] = field(default_factory=list)
    deploys: list[int] = field(default_factory=list)
    left_out: int = 0


def read_stays(trace: Trace, objects: Iterable[object] | None = None) -> Stays:
    """The lives of these objects (labels, names, stubs or views), or of the first 16 that appear.

    Raises ValueError that lists the objects there are for one that is not in the trace.
    """
    known = lives(trace)
    wanted = list(known) if objects is None else list(dict.fromkeys(_label(obj, known) for obj in _listed(objects)))
    stays = Stays(left_out=max(0, len(wanted) - MOST_OBJECTS))
    shown = {label: Stay(known[label]) for label in wanted[:MOST_OBJECTS]}
    for stay in shown.values():
        stay.instances = _instances(stay.life.stretches)
    _befall(trace, shown, stays)
    stays.objects = list(shown.values())
    return stays


def _listed(objects: Iterable[object]) -> list[object]:
    if isinstance(objects, str):
        return [objects]
    try:
        return list(objects)
    except TypeError:
        return [objects]


def _label(obj: object, known: dict[str, Life]) -> str:
    """The label of an object given as its label, its name, or whatever carries one of them."""
    text = str(getattr(obj, "label", obj))
    name = getattr(obj, "name", text)
    found = [label for label in known if label == text or label.endswith(f"({name!r})")]
    if text in known:
        return text
    if len(found) == 1:
        return found[0]
    there = ", ".join(list(known)[:10]) + (", …" if len(known) > 10 else "") if known else "none"
    many = f" is {' and '.join(found)}: give the label" if found else " is not in the trace"
    raise ValueError(f"objects: {obj!r}{many}. The objects of this trace are: {there}.")


def _instances(stretches: Sequence[Stretch]) -> list[tuple[int, int, int]]:
    """(number, from, to) of each life in memory, of stretches that follow each other."""
    found: list[tuple[int, int, int]] = []
    for stretch in stretches:
        if not stretch.in_memory:
            continue
        if found and found[-1][0] == stretch.instance and found[-1][2] == stretch.start_us:
            found[-1] = (stretch.instance, found[-1][1], stretch.end_us)
        else:
            found.append((stretch.instance, stretch.start_us, stretch.end_us))
    return found


def _befall(trace: Trace, shown: dict[str, Stay], stays: Stays) -> None:
    """One pass over the records: what each object met, and when something was deployed."""
    for raw in trace.raw:
        t_us, kind, actor, detail = raw[0], raw[2], raw[3], raw[6]
        if kind == "fault" and detail[0] == "deploy":
            stays.deploys.append(t_us)
        stay = shown.get(actor)
        if stay is None:
            continue
        if kind == "commit" and detail[0]:
            stay.writes.append(t_us)
        elif kind == "evict" and isinstance(detail[2], int):
            stay.stored.append((t_us, detail[2]))
        elif kind == "crash":
            stay.marks.append(Mark(t_us, "crash"))
        elif kind == "reset":
            stay.marks.append(Mark(t_us, "reset", str(detail[1])))
        elif kind == "call" and detail[1] == "alarm":
            stay.marks.append(Mark(t_us, "alarm"))
        elif kind == "construct" and isinstance(detail[0], int) and detail[0] > 1:
            stay.marks.append(Mark(t_us, "wake", f"instance {detail[0]}"))
    for stay in shown.values():  # records are in the order in which they were told
        stay.writes.sort()
        stay.marks.sort(key=lambda mark: mark.at_us)
        stay.stored.sort(key=lambda told: told[0])
    stays.deploys.sort()


def thinned(stretches: Iterable[Stretch], tick_us: float) -> list[Stretch]:
    """The stretches, those shorter than `tick_us` joined where they fall on one tick: the most awake state stays."""
    found: list[Stretch] = []
    for stretch in stretches:
        last = found[-1] if found else None
        if last is None or last.end_us != stretch.start_us:
            found.append(stretch)
        elif last.state == stretch.state and last.instance == stretch.instance:
            found[-1] = replace(last, end_us=stretch.end_us, inside=max(last.inside, stretch.inside))
        elif (
            stretch.end_us - last.start_us < tick_us  # both on one tick
            and stretch.end_us - stretch.start_us < tick_us
        ):
            state = max(last.state, stretch.state, key=RANKS.index)
            found[-1] = replace(stretch, start_us=last.start_us, state=state)
        else:
            found.append(stretch)
    return found


def apart(moments: Iterable[int], tick_us: float) -> list[int]:
    """The moments without those less than a tick after the one kept before them."""
    found: list[int] = []
    for at_us in moments:
        if not found or at_us - found[-1] >= tick_us:
            found.append(at_us)
    return found
