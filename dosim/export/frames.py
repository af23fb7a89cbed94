"""Rows and data frames: a trace as a table, for whoever counts with pandas, polars or plain Python."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from dosim.explain import Story
from dosim.export.sources import exported
from dosim.trace import Trace, messages

_LIBRARIES: Final = ("pandas", "polars")


def rows(source: object, of: str = "records") -> list[dict[str, object]]:
    """A table of a simulation or a trace, a dict a row.

    of: "records" (in order of their numbers: `t_us`, `seq`, `kind`, `actor`, `request`, `cause` and what a record of
    its kind carries), "messages" (in order of their leaving: the fields of `dosim.trace.Message` and `duration_us`) or
    "segments" (where the time of every request from outside went: `outside` is its number, then the fields of
    `dosim.trace.Segment` and `duration_us`).
    Raises ValueError for another table and for a trace that keeps nothing, TypeError for another source.
    """
    if not isinstance(of, str) or of not in _TABLES:
        raise ValueError(f"of={of!r} is no table of a trace: use {', '.join(map(repr, _TABLES))}.")
    return list(_TABLES[of](exported(source)))


def to_dataframe(source: object, of: str = "records", *, library: str | None = None) -> Any:
    """`rows(source, of)` as a DataFrame of pandas, or of polars if pandas is not installed; `library` chooses.

    A record lacks what its kind does not carry: there the cell is empty. Raises ImportError when neither is installed,
    ValueError for another table or library and for a trace that keeps nothing, TypeError for another source.
    """
    return frame_of(rows(source, of), library, "rows(source)")


def frame_of(table: Sequence[Mapping[str, object]], library: str | None, instead: str) -> Any:
    """Rows as a DataFrame, as `to_dataframe` says; `instead` is what gives the rows where no library is installed."""
    if library is not None and library not in _LIBRARIES:
        raise ValueError(f"library={library!r} makes no data frames here: use {' or '.join(map(repr, _LIBRARIES))}.")
    columns = list(dict.fromkeys(name for row in table for name in row))
    whole = {name: [row.get(name) for row in table] for name in columns}
    for name in (library,) if library else _LIBRARIES:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if name == "polars":
            return module.DataFrame(whole, strict=False)
        return module.DataFrame(whole, dtype=object).infer_objects().convert_dtypes()
    wanted = library or " nor ".join(_LIBRARIES)
    raise ImportError(
        f"{'neither ' if not library else ''}{wanted} is {'not ' if library else ''}installed: install one of them, or"
        f" use {instead}, which gives the same table as a list of dicts."
    )


def _records(trace: Trace) -> Iterator[dict[str, object]]:
    for record in trace:
        known = record._asdict()
        del known["detail"]
        yield {**known, **record.detail}


def _messages(trace: Trace) -> Iterator[dict[str, object]]:
    for message in messages(trace):
        yield {**asdict(message), "duration_us": message.duration_us}


def _segments(trace: Trace) -> Iterator[dict[str, object]]:
    story = Story(trace)
    for request in story.requests:
        for segment in story.segments(request):
            yield {"outside": request, **asdict(segment), "duration_us": segment.duration_us}


_TABLES: Final[dict[str, Callable[[Trace], Iterator[dict[str, object]]]]] = {
    "records": _records,
    "messages": _messages,
    "segments": _segments,
}
