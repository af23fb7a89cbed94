"""`diff`: where two traces begin to differ, told with what happened just before."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from dosim.trace.kinds import KINDS
from dosim.trace.records import RawRecord, Record, trace_of
from dosim.trace.tables import html_table
from dosim.trace.words import counted, exact

#: The parts of a record in the order in which a difference is told.
_PARTS = ("t_us", "seq", "kind", "actor", "request", "cause")


@dataclass(frozen=True, slots=True, repr=False)
class Difference:
    """The first difference of two traces. True in a condition if there is one.

    `before` are the last records that both have; `first` and `second` the records where they part, None where a trace
    has ended. `compared` counts the records that are equal; `names` are the values that differ.
    """

    compared: int
    before: tuple[Record, ...] = ()
    first: Record | None = None
    second: Record | None = None
    names: tuple[str, ...] = ()
    skipped: int = 0

    def __bool__(self) -> bool:
        return self.first is not None or self.second is not None

    @property
    def text(self) -> str:
        """One paragraph."""
        kept = f" ({counted(self.skipped, 'record')} of which only one trace keeps are not compared)" * bool(
            self.skipped
        )
        if not self:
            return f"The traces are equal: {counted(self.compared, 'record')}{kept}."
        same = f"{counted(self.compared, 'record')} equal{kept}" if self.compared else f"no record is equal{kept}"
        if self.first is None or self.second is None:
            which, more = ("first", self.second) if self.first is None else ("second", self.first)
            return f"The {which} trace ends where the other goes on: {same}, then {_said(more)}."
        parts = f"{_said(self.first)} in the first and {_said(self.second)} in the second"
        return f"The traces part at {', '.join(self.names)}: {same}, then {parts}."

    def rows(self) -> list[tuple[str, str]]:
        """(sign, record): "=" both have it, "-" the first only, "+" the second only."""
        found = [("=", str(record)) for record in self.before] if self else []
        found += [("-", str(self.first))] if self.first is not None else []
        return found + ([("+", str(self.second))] if self.second is not None else [])

    def __str__(self) -> str:
        return "\n".join([self.text, *(f"{sign} {record}" for sign, record in self.rows())])

    def __repr__(self) -> str:
        where = f"after {counted(self.compared, 'equal record')}" if self else "none"
        return f"<first difference: {where}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.text)}</p>" + (html_table(("", "record"), self.rows(), "") if self else "")


def diff(a: object, b: object, *, context: int = 3) -> Difference:
    """Where the traces of two simulations, or two traces, part, with the `context` records before it.

    Of traces with retention, what both keep is compared. Raises TypeError for what is no trace, ValueError for a
    negative context.
    """
    if isinstance(context, bool) or not isinstance(context, int) or context < 0:
        raise ValueError(f"context={context!r}: give a whole number of records, 0 or more.")
    first, second = list(trace_of(a).raw), list(trace_of(b).raw)
    since = max((kept[0][1] for kept in (first, second) if kept), default=0)
    of_first = [raw for raw in first if raw[1] >= since]
    of_second = [raw for raw in second if raw[1] >= since]
    skipped = len(first) - len(of_first) + len(second) - len(of_second)
    for at in range(max(len(of_first), len(of_second))):
        one = of_first[at] if at < len(of_first) else None
        other = of_second[at] if at < len(of_second) else None
        if one is None or other is None or _plain(one) != _plain(other):
            before = tuple(map(_record, of_first[max(0, at - context) : at]))
            parts = _record(one) if one else None, _record(other) if other else None
            return Difference(at, before, *parts, _names(*parts), skipped)
    return Difference(len(of_first), skipped=skipped)


def _plain(raw: RawRecord) -> tuple[object, ...]:
    """A record as it is after a file, where missing values at the end are None."""
    detail = raw[6]
    return (*raw[:6], *detail, *(None,) * (len(KINDS[raw[2]]) - len(detail)))


def _record(raw: RawRecord) -> Record:
    return Record(*raw[:6], dict(zip(KINDS[raw[2]], raw[6], strict=False)))


def _names(one: Record | None, other: Record | None) -> tuple[str, ...]:
    if one is None or other is None:
        return ()
    found = [part for part in _PARTS if getattr(one, part) != getattr(other, part)]
    names = dict.fromkeys([*one.detail, *other.detail]) if one.kind == other.kind else {}
    return (*found, *(name for name in names if one.detail.get(name) != other.detail.get(name)))


def _said(record: Record | None) -> str:
    return "nothing" if record is None else f'"{record.actor}: {record.kind}" at {exact(record.t_us)}'
