"""What a picture of lives is made of, in microseconds across and inches down; `rooms` and `room_svgs` draw it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from dosim.trace import Stretch
from dosim.trace.words import counted, stretch
from dosim.views.figures import trace_of
from dosim.views.frames import EMPTY, check_window, span_of
from dosim.views.scales import kept_note
from dosim.views.stays import Stay, Stays, apart, read_stays, thinned
from dosim.views.style import Look

#: Inches: a lane, and from its top its marks, its state, its whiteboard, its drawers, each with its height.
LANE_IN: Final = 0.92
MARKS_IN: Final = 0.11
STATE: Final = (0.2, 0.22)
BOARD: Final = (0.46, 0.15)
DRAWERS: Final = (0.65, 0.15)
#: Inches: a line of an object's name, a letter of it.
_NAME_IN: Final = 0.17
_LETTER_IN: Final = 0.078
#: Dots an inch: what can be told apart. Four are a millimetre, the least that an instance takes: half of it is seen
#: beside the line of whoever came in.
DOTS: Final = 100
_INSTANCE_DOTS: Final = 4

STATES: Final[dict[str, Look]] = {
    "running": Look("#0072B2", "", 1, "running: somebody is inside"),
    "starting": Look("#D55E00", "--", 1, "starting: its constructor runs"),
    "held": Look("#CC79A7", "xxx", 1, "held in memory by something else"),
    "idle": Look("#56B4E9", "", 1, "idle in memory"),
    "hibernated": Look("#009E73", "...", 1, "hibernated: its sockets stay"),
    "evicted": Look("", "", 1, "evicted: not in memory"),
}
BOARD_COLOUR: Final = "#F0E442"
DRAWERS_COLOUR: Final = "#E69F00"
#: Mark -> its marker, colour ("" is ink), size in points and words.
SIGNS: Final[dict[str, tuple[str, str, float, str]]] = {
    "wake": ("^", "", 5.5, "woken: a new instance"),
    "alarm": ("*", "#E69F00", 11, "its alarm rings"),
    "crash": ("X", "#D55E00", 9, "crash"),
    "reset": ("D", "#CC79A7", 6.5, "reset, as by a deploy"),
}

Part = tuple[float, float]


@dataclass(slots=True)
class RoomsPlan:
    """What a picture of lives shows: the objects, from when to when, how long a dot is, notes, and all in words.

    `empty` says why there is nothing to draw, "" if there is.
    """

    stays: Stays
    span: tuple[int, int]
    tick_us: float
    alt: str
    empty: str = ""
    lanes: list[LanePlan] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def deploys(self) -> list[tuple[int, bool]]:
        """The moments of deploys, and whether there is room to say so."""
        shown = [at_us for at_us in self.stays.deploys if self.span[0] <= at_us <= self.span[1]]
        labelled = apart(shown, self.tick_us * 45)
        return [(at_us, at_us in labelled) for at_us in apart(shown, self.tick_us)]

    def legend(self) -> list[tuple[str, str]]:
        """The legend, for what is in the picture: a state, "whiteboard", "drawers" or a mark, and its words."""
        seen = {part.state for lane in self.lanes for part in lane.shown}
        marks = {mark.what for stay in self.stays.objects for mark in stay.marks if _inside(mark.at_us, self.span)}
        return [
            *((state, look.words) for state, look in STATES.items() if state in seen),
            ("whiteboard", "whiteboard: memory, wiped at its end"),
            ("drawers", "drawers: storage, it stays"),
            *((what, words) for what, (_, _, _, words) in SIGNS.items() if what in marks),
        ]


def plan_rooms(
    source: object,
    objects: Iterable[object] | None,
    start_us: int | None,
    end_us: int | None,
    axis_in: float,
    title: str,
) -> RoomsPlan:
    """Read a picture of lives whose axis is so many inches long.

    Raises TypeError for a source that is no trace and ValueError that names the argument and the fix.
    """
    trace = trace_of(source)
    check_window(start_us, end_us)
    stays = read_stays(trace, objects)
    missing = kept_note(trace)
    first_us, last_us = span_of(trace)
    span = first_us if start_us is None else start_us, last_us if end_us is None else end_us
    if not stays.objects:
        text = "No object was used in this trace." if len(trace) else EMPTY
        text = f"{text} {missing}".strip()
        return RoomsPlan(stays, span, 1.0, f"{title}: {text}" if title else text, text)
    if span[1] <= span[0]:
        if start_us is not None and start_us >= last_us:
            raise ValueError(
                f"start, end: {stretch(start_us)} is after the last record, at {stretch(last_us)}: give a"
                " stretch before that, counted from the simulation's start."
            )
        span = span[0], span[0] + 1
    tick_us = (span[1] - span[0]) / (axis_in * DOTS)
    plan = RoomsPlan(stays, span, tick_us, _alt(stays, title, span, missing))
    plan.lanes = [LanePlan(stay, span, tick_us) for stay in stays.objects]
    plan.notes = [" ".join(note for note in [missing, *_notes(plan)] if note)]
    return plan


def _inside(at_us: int, span: tuple[int, int]) -> bool:
    return span[0] <= at_us <= span[1]


# -- one object


class LanePlan:
    """An object's lane: parts are (from, to) in microseconds, within the picture and wide enough to be seen."""

    def __init__(self, stay: Stay, span: tuple[int, int], tick_us: float) -> None:
        self.stay = stay
        self.span = span
        self.tick_us = tick_us
        states = thinned(stay.life.stretches, tick_us)
        self.shown = [part for part in states if part.start_us <= span[1] and part.end_us >= span[0]]
        self._lived = [i for i in stay.instances if i[1] <= span[1] and i[2] >= span[0]]
        self._began_us = {ended_us: began_us for _, began_us, ended_us in self._lived}

    def name(self, room_in: float) -> list[tuple[str, float, bool, float]]:
        """Lines that fit so many inches: text, size in points, whether bold, and its middle in inches down the lane."""
        life, numbers = self.stay.life, {number for number, _, _ in self.stay.instances}
        lines = [(line, 9.0, True) for line in _name_lines(self.stay.label, int(room_in / _LETTER_IN))]
        lines += [
            (f"in {life.place}" if life.place else "", 8.0, False),
            (counted(len(numbers), "instance"), 8.0, False),
        ]
        shown = [line for line in lines if line[0]]
        middle = (STATE[0] + DRAWERS[0] + DRAWERS[1]) / 2
        return [(*line, middle + _NAME_IN * (at - (len(shown) - 1) / 2)) for at, line in enumerate(shown)]

    def _clip(self, start_us: float, end_us: float, dots: int = 1) -> Part:
        """A stretch's part inside the picture, at least so many dots wide."""
        least_us = dots * self.tick_us
        start_us = max(min(start_us, self.span[1] - least_us), self.span[0])
        return start_us, max(min(end_us, self.span[1]), start_us + least_us)

    def room_in(self, part: Part) -> float:
        return (part[1] - part[0]) / self.tick_us / DOTS

    def is_slim(self, part: Part) -> bool:
        """Whether it is too narrow for a hatch."""
        return part[1] - part[0] < 4 * self.tick_us

    def parts(self, state: str) -> list[Part]:
        """Where the object is in a state: draw the states in the order of `RANKS`, the most awake on top."""
        return [self._part(part) for part in self.shown if part.state == state]

    def _part(self, part: Stretch) -> Part:
        """A stretch, as wide as shows it; the last of an instance, as wide as shows the instance."""
        start_us, end_us = self._clip(part.start_us, part.end_us)
        began_us = self._began_us.get(part.end_us)
        if part.in_memory and began_us is not None:
            left_us, right_us = self._clip(began_us, part.end_us, _INSTANCE_DOTS)
            start_us += left_us - max(began_us, self.span[0])  # at the end of the picture it moves to the left
            end_us = max(end_us, right_us)
        return start_us, end_us

    @property
    def widens(self) -> bool:
        """Whether an instance takes more of the picture than it lasts."""
        return any(end_us - start_us < _INSTANCE_DOTS * self.tick_us for _, start_us, end_us in self._lived)

    def crowds(self) -> list[tuple[float, str]]:
        """How many are inside, where there is room to write it."""
        found = []
        for part in self.shown:
            clipped = self._clip(part.start_us, part.end_us)
            if part.state == "running" and part.inside > 1 and self.room_in(clipped) > 0.75:
                found.append((sum(clipped) / 2, f"up to {part.inside} inside"))
        return found

    def visits(self) -> list[int]:
        """When somebody comes in; none where it could not be told apart."""
        return self._apart(self.stay.visits)

    def writes(self) -> list[int]:
        return self._apart(self.stay.writes)

    def _apart(self, moments: Iterable[int]) -> list[int]:
        shown = apart([at_us for at_us in moments if _inside(at_us, self.span)], 2 * self.tick_us)
        return [] if _is_dense(shown, self.span, self.tick_us) else shown

    def boards(self) -> list[Part]:
        """The whiteboard of each instance."""
        return [self._clip(start_us, end_us, _INSTANCE_DOTS) for _, start_us, end_us in self._lived]

    def wiped(self) -> list[int]:
        """When a whiteboard is wiped, where it is wide enough to show it."""
        ended = [
            end_us
            for _, start_us, end_us in self._lived
            if end_us <= self.span[1] and end_us - start_us > 6 * self.tick_us and not self._lives_on(end_us)
        ]
        return apart(ended, self.tick_us * 2)

    def numbers(self) -> list[tuple[float, str]]:
        """The number of each instance in the middle of its whiteboard, where there is room."""
        found, free_us = [], float(self.span[0])
        for number, start_us, end_us in self._lived:
            part = self._clip(start_us, end_us)
            room = self.room_in(part)
            text = next((word for word in (f"instance {number}", f"{number}") if 0.057 * len(word) + 0.04 <= room), "")
            if text and part[0] >= free_us:
                found.append((sum(part) / 2, text))
                free_us = part[1]
        return found

    def _lives_on(self, end_us: int) -> bool:
        """Whether a stretch in memory ends only because the trace does."""
        last = self.stay.life.stretches[-1]
        return last.in_memory and last.end_us == end_us

    def drawers(self) -> Part | None:
        """Since when something is stored; None if nothing ever is."""
        from_us = self.stay.keeps_from_us
        return None if from_us is None or from_us > self.span[1] else self._clip(from_us, self.span[1])

    def sizes(self) -> list[tuple[float, str]]:
        """How much is stored and where its text begins, whenever the trace tells something new and there is room."""
        from_us = self.stay.keeps_from_us
        found: list[tuple[float, str]] = []
        told, free_us = "", -1.0
        before = [known for known in self.stay.stored if known[0] <= self.span[0]]
        for at_us, size_bytes in [*before[-1:], *self.stay.stored[len(before) :]]:
            text = size_text(size_bytes)
            if from_us is None or at_us < from_us or at_us > self.span[1] or text == told:
                continue
            wide_us = (0.056 * len(text) + 0.1) * DOTS * self.tick_us
            start_us = min(float(max(at_us, self.span[0])), self.span[1] - wide_us)
            if start_us >= max(free_us, from_us):
                found.append((start_us + 0.05 * DOTS * self.tick_us, text))
                told, free_us = text, start_us + wide_us
        return found

    def marks(self, what: str) -> tuple[list[int], float]:
        """When it met something of `SIGNS`, and how many inches down the lane that is drawn."""
        times = [mark.at_us for mark in self.stay.marks if mark.what == what and _inside(mark.at_us, self.span)]
        return apart(times, self.tick_us * 4), MARKS_IN + 0.045 if what == "wake" else MARKS_IN


def _name_lines(label: str, room: int) -> list[str]:
    """A label in one line of so many letters, or in two, class and name; of a longer name its middle is left out."""
    if len(label) <= room:
        return [label]
    cls, bracket, name = label.partition("(")
    parts = [cls, f"{bracket}{name}"] if bracket else [label]
    half = (room - 1) // 2
    return [part if len(part) <= room else f"{part[: room - 1 - half]}…{part[-half:]}" for part in parts]


# -- words


def size_text(size_bytes: int) -> str:
    """A size for people, to three digits: "21 B", "1.5 kB", "3 MB"."""
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{value:.3g} {unit}"


def _notes(plan: RoomsPlan) -> list[str]:
    notes, stays = [], plan.stays
    if stays.left_out:
        total = len(stays.objects) + stays.left_out
        notes.append(f"The first {len(stays.objects)} of {total} objects are shown; name others with objects=.")
    if any(stay.visits or stay.writes for stay in stays.objects):
        notes.append("A thin line in the state is somebody coming in, in the drawers a write.")
    moments = [times for stay in stays.objects for times in (stay.visits, stay.writes)]
    if any(_is_dense(apart(times, 2 * plan.tick_us), plan.span, plan.tick_us) for times in moments):
        notes.append("Where these are too many to tell apart, none is drawn.")
    if any(lane.widens for lane in plan.lanes):
        notes.append("An instance is drawn at least a millimetre wide, however short its life.")
    if any(len(thinned(stay.life.stretches, plan.tick_us)) < len(stay.life.stretches) / 2 for stay in stays.objects):
        notes.append("Of states closer together than a dot the most awake is drawn.")
    return notes


def _is_dense(moments: Sequence[int], span: tuple[int, int], tick_us: float) -> bool:
    """Whether lines at these moments would cover a good part of the picture."""
    return sum(_inside(at_us, span) for at_us in moments) * 6 * tick_us > span[1] - span[0]


def _alt(stays: Stays, title: str, span: tuple[int, int], missing: str) -> str:
    """The lives in words."""
    lines = [f"{title or 'The lives of objects'}, from {stretch(span[0])} to {stretch(span[1])}."]
    for stay in stays.objects:
        place = f" in {stay.life.place}" if stay.life.place else ""
        told = _times(stay.life.stretches, span)
        states = ", ".join(f"{state} {stretch(us)}" for state, us in told.items()) or "no time at all"
        marks = [mark.what for mark in stay.marks if _inside(mark.at_us, span)]
        met = "".join(f", {counted(marks.count(what), what)}" for what in dict.fromkeys(marks) if what != "wake")
        stored = f"; {size_text(stay.stored[-1][1])} stored at the end" if stay.stored else ""
        count = counted(len({number for number, _, _ in stay.instances}), "instance")
        lines.append(f"{stay.label}{place}: {count}, {states}{met}{stored}.")
    lines += [f"Deployed at {stretch(at_us)}." for at_us in stays.deploys if _inside(at_us, span)]
    if stays.left_out:
        lines.append(f"{counted(stays.left_out, 'more object')} not shown.")
    return "\n".join([*lines, missing] if missing else lines)


def _times(stretches: Iterable[Stretch], span: tuple[int, int]) -> dict[str, int]:
    """How long each state lasts within a span, microseconds."""
    told: dict[str, int] = {}
    for part in stretches:
        part_us = min(part.end_us, span[1]) - max(part.start_us, span[0])
        if part_us > 0:
            told[part.state] = told.get(part.state, 0) + part_us
    return told
