"""`divergence`: where two runs of one test part, as a story: what was equal, both versions, and the line of code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dosim.testing.runs import Run
from dosim.testing.witness import Place, Witness
from dosim.trace import KINDS, Record
from dosim.trace.compare import Difference, diff
from dosim.trace.words import counted, cut, exact

#: Letters of a record that are shown, and of its beginning where it is longer.
_LONGEST: Final = 160
_HEAD: Final = 70

#: kind -> its sentence, after who; `{}` are values of the record.
_SENTENCES: Final = {
    "send": "{actor} sends {method} {url}",
    "call": "{method} of {target} is called ({via})",
    "storage": "{actor}, {operation} {key!r}",
    "rows": "{actor}, {read} rows read, {written} written",
    "commit": "{actor} commits, writes: {writes}",
    "alarm_set": "{actor} sets its alarm for {due_us} µs",
    "log": '{actor} says "{text}" ({level})',
    "socket": "{actor} accepts socket {socket} ({how})",
    "frame": "{actor}, socket {socket}: {what}, size: {size_bytes} bytes",
    "construct": "{actor} is constructed, instance {instance}",
    "throw": "{actor} throws {error}",
    "response": "{actor} gets its response, status {status}",
    "fault": "{verb} {what}, by {actor}",
}


@dataclass(frozen=True)
class Divergence:
    """The first thing in which two runs differ. `place` is the line of user code behind it, None: there is none."""

    first: Run
    second: Run
    what: str
    lines: tuple[str, ...] = ()
    place: Place | None = None

    def story(self, name: str, why: str = "") -> str:
        """The whole of it for people. why: what it is likely to come from."""
        told = [f"{name} is not deterministic: {self.what}", *self.lines]
        if why:
            told.append(f"likely: {why}")
        return "\n".join(told)


def divergence(first: Run, second: Run) -> Divergence | None:
    """Where two runs part; None: they are the same."""
    pairs = list(zip(first.witnesses, second.witnesses, strict=False))
    for number, (one, other) in enumerate(pairs, 1):
        if one.digest != other.digest:
            which = "" if len(pairs) == 1 else f" of simulation {number}"
            return _of_traces(first, second, one, other, which)
    if len(first.witnesses) != len(second.witnesses):
        return _of_counts(first, second)
    if first.error != second.error:
        said = [f"{run.how} " + (f"raised {run.error}" if run.error else "raised nothing") for run in (first, second)]
        return Divergence(first, second, f"the traces are equal, and {said[0]}, {said[1]}.")
    if first.value != second.value:
        lines = _both(first, second, str(first.value), str(second.value))
        return Divergence(first, second, "the traces are equal, and what the function returns is not.", tuple(lines))
    return None


def _of_counts(first: Run, second: Run) -> Divergence:
    counts = [counted(len(run.witnesses), "simulation") for run in (first, second)]
    more = max(first, second, key=lambda run: len(run.witnesses))
    extra = more.witnesses[min(len(first.witnesses), len(second.witnesses))]
    place, _ = _first_place(extra)
    lines = (f"  first used at {place}", *_source(place)) if place is not None else ()
    return Divergence(first, second, f"{first.how} made {counts[0]}, {second.how} {counts[1]}.", lines, place)


def _first_place(witness: Witness) -> tuple[Place | None, int]:
    number = min(witness.places, default=0)
    return witness.places.get(number), number


def _of_traces(first: Run, second: Run, one: Witness, other: Witness, which: str) -> Divergence:
    found = diff(one.trace, other.trace)
    if not found:
        what = f"{first.how} and {second.how} part{which} in a record that is not kept. Make it with retention='full'."
        return Divergence(first, second, what)
    number = (found.first or found.second).seq  # type: ignore[union-attr]
    what = f"{second.how} parts from {first.how} at record {number}{which}{_named(found)}."
    lines = [f"  before: {cut(_told(record), _LONGEST)}" for record in found.before[-1:]]
    lines += _versions(first, second, found)
    place, code = _code(found, one, other, number)
    return Divergence(first, second, what, (*lines, *code), place)


def _named(found: Difference) -> str:
    return f", which differs in {', '.join(found.names)}" if found.names else ""


def _versions(first: Run, second: Run, found: Difference) -> list[str]:
    told = ["it had ended" if record is None else _told(record) for record in (found.first, found.second)]
    return _both(first, second, *told)


def _both(first: Run, second: Run, one: str, other: str) -> list[str]:
    """Both versions, a line each; of long texts what is around their first difference."""
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    if at > _LONGEST - 40:
        one, other = (f"{text[:_HEAD]} … {text[at - 20 :]}" for text in (one, other))
    return [f"  {run.how}: {cut(text, _LONGEST)}" for run, text in ((first, one), (second, other))]


def _code(found: Difference, one: Witness, other: Witness, number: int) -> tuple[Place | None, list[str]]:
    """The line that made the record in the one run and the other, both where they are two; else that of a cause."""
    told = [witness.place_of(number) for witness, record in ((one, found.first), (other, found.second)) if record]
    made_it = [(place, made) for place, made in told if made == number]
    known = {place: made for place, made in made_it or told if place is not None}
    said: list[str] = []
    for place, made in known.items():
        by = "" if made == number else f" (it made record {made}, which caused this one)"
        said += [f"  {'or' if said else 'the line'}: {place}{by}", *_source(place)]
    if not said:
        said = ["  the line: none of yours: the platform made this record, and all that caused it, by itself"]
    return next(iter(known), None), said


def _source(place: Place) -> list[str]:
    return [f"      {place.source}"] if place.source else []


def _told(record: Record) -> str:
    """A record in words, on one line: when, in which request, its kind, who and what."""
    request = f" in request {record.request}" if record.request else ""
    sentence = _SENTENCES.get(record.kind)
    if sentence is not None:
        said = sentence.format_map({**dict.fromkeys(KINDS[record.kind]), **record.detail, "actor": record.actor})
    else:
        detail = ", ".join(f"{name} {value}" for name, value in record.detail.items() if value not in (None, ""))
        said = record.actor + (f" ({detail})" if detail else "")
    return " ⏎ ".join(f"at {exact(record.t_us)}{request}, {record.kind}: {said}".splitlines())
