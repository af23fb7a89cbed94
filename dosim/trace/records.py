"""`Trace`: the records of a run, their retention, their digest, and JSON lines out and in."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, overload

from dosim.trace.files import header, read_header, writing
from dosim.trace.kinds import KINDS
from dosim.trace.tables import html_table

#: What a running simulation keeps: plain tuples, cheap to make.
RawRecord = tuple[int, int, str, str, int, int, tuple[object, ...]]
Fold = Callable[[int, int, str, str, int, int, tuple[object, ...]], None]


class Record(NamedTuple):
    """One thing that happened, as a reader sees it. `detail` maps the names in `KINDS` to values."""

    t_us: int
    seq: int
    kind: str
    actor: str
    request: int
    cause: int
    detail: dict[str, object]

    def __str__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.detail.items() if value not in (None, ""))
        request = f" #{self.request}" if self.request else ""
        return f"{self.t_us / 1e6:12.6f}s {self.seq:6d}{request} {self.actor}: {self.kind}" + (
            f" ({said})" if said else ""
        )


class Trace:
    """Every record of a run, in the order in which things happened.

    `retention` is "full", "last=N" (the newest N records) or "none"; folds (`subscribe`) see every record in any case.
    Raises ValueError for another retention.
    """

    def __init__(self, retention: str = "full") -> None:
        self.retention = retention
        self.count = 0
        self._folds: list[Fold] = []
        self._keep: list[RawRecord] | deque[RawRecord]
        if retention == "full":
            self._keep = []
        elif retention == "none":
            self._keep = deque(maxlen=0)
        elif str(retention).startswith("last=") and retention[5:].isdigit():
            self._keep = deque(maxlen=int(retention[5:]))
        else:
            raise ValueError(f"retention={retention!r} is not known: use 'full', 'last=1000' or 'none'.")
        #: Append a record `(t_us, kind, actor, request, cause, detail)`; returns its number, which later records name
        #: as their cause.
        self.emit = self._emitter()

    def _emitter(self) -> Callable[..., int]:
        """`emit` as a closure: it is called a dozen times a request."""
        keep, folds, count = self._keep.append, self._folds, itertools.count(1).__next__

        def emit(
            t_us: int, kind: str, actor: str, request: int = 0, cause: int = 0, detail: tuple[object, ...] = ()
        ) -> int:
            seq = count()
            keep((t_us, seq, kind, actor, request, cause, detail))
            if folds:
                for fold in folds:
                    fold(t_us, seq, kind, actor, request, cause, detail)
            self.count = seq
            return seq

        return emit

    def subscribe(self, fold: Fold) -> None:
        """Call `fold(t_us, seq, kind, actor, request, cause, detail)` for every record from now on."""
        self._folds.append(fold)

    @property
    def raw(self) -> Iterable[RawRecord]:
        """The kept records as plain tuples, for readers of many."""
        return self._keep

    def __iter__(self) -> Iterator[Record]:
        return map(_named, self._keep)

    def __len__(self) -> int:
        return len(self._keep)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [_named(raw) for raw in list(self._keep)[index]]
        return _named(self._keep[index])

    def of_request(self, request: int) -> list[Record]:
        """The kept records of one request, in order."""
        return [_named(raw) for raw in self._keep if raw[4] == request]

    def of_kind(self, *kinds: str) -> list[Record]:
        """The kept records of these kinds. Raises ValueError for a kind that does not exist."""
        for kind in kinds:
            if not isinstance(kind, str) or kind not in KINDS:
                raise ValueError(f"kind={kind!r} is not a kind of record: use one of {', '.join(KINDS)}.")
        return [_named(raw) for raw in self._keep if raw[2] in kinds]

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text: same program, same seed, same digest, in any process.

        Raises ValueError unless retention is "full".
        """
        if self.retention != "full":
            raise ValueError(f"a digest needs every record, and retention is {self.retention!r}: use 'full'.")
        text = sha256()
        for line in self.lines():
            text.update(line.encode())
            text.update(b"\n")
        return text.hexdigest()

    def lines(self) -> Iterator[str]:
        """The kept records as canonical text, one JSON object each: what the digest is taken of."""
        return map(_line, self._keep)

    def to_jsonl(self, path: str | Path) -> None:
        """Write a header, then the kept records, one JSON object a line. Nothing is lost: `from_jsonl` reads it back.

        Raises OSError that names the path when it cannot be written.
        """
        with writing(path) as file:
            file.write(header(self.retention, self.count) + "\n")
            file.writelines(line + "\n" for line in self.lines())

    @classmethod
    def from_jsonl(cls, path: str | Path) -> Trace:
        """Read what `to_jsonl` wrote, or records without a header.

        Raises ValueError that names the line that is no record, a version that is newer than this dosim, or a file
        that ends too early.
        """
        trace, said = cls(), None
        with Path(path).open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if number == 1 and (said := read_header(line, path)) is not None:
                    trace = cls(said[0])
                    continue
                try:
                    raw = _read(line)
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(f"{path}, line {number} is no trace record ({error!r}).") from None
                trace._keep.append(raw)
                trace.count = raw[1]
        if said is not None:
            trace._check_whole(path, said[1])
        return trace

    def _check_whole(self, path: str | Path, count: int) -> None:
        """Raise ValueError unless the file held as many records as a run of `count` records keeps."""
        kept = count
        if isinstance(self._keep, deque) and self._keep.maxlen is not None:
            kept = min(count, self._keep.maxlen)
        if len(self) != kept or (kept and self.count != count):
            raise ValueError(
                f"{path} does not hold what its first line says: {kept} records up to number {count}, and it has"
                f" {len(self)} up to number {self.count}. Perhaps it was cut off: write it again."
            )
        self.count = count

    def __repr__(self) -> str:
        kept = "" if len(self) == self.count else f", {len(self)} kept"
        return f"<Trace: {self.count} records{kept}>"

    def _repr_html_(self) -> str:
        shown = list(self)[-40:]
        caption = f"{self.count} records" + (f", the last {len(shown)}" if len(shown) < self.count else "")
        rows = [(f"{r.t_us / 1e6:.6f}", r.request or "", r.actor, r.kind, _said(r)) for r in shown]
        return html_table(("t (s)", "request", "who", "what", "with"), rows, caption)


def _said(record: Record) -> str:
    return ", ".join(f"{name}={value}" for name, value in record.detail.items() if value not in (None, ""))


def trace_of(source: object, argument: str = "") -> Trace:
    """The trace of a simulation, or the trace itself. Raises TypeError for anything else, with the argument's name."""
    trace = getattr(source, "trace", source)
    if not isinstance(trace, Trace):
        named = f"{argument}=" if argument else ""
        raise TypeError(
            f"{named}{source!r} is neither a simulation nor a trace: give sim, sim.trace or Trace.from_jsonl(path)."
        )
    return trace


def _named(raw: RawRecord) -> Record:
    return Record(*raw[:6], dict(zip(KINDS[raw[2]], raw[6], strict=False)))


def _line(raw: RawRecord) -> str:
    t_us, seq, kind, actor, request, cause, detail = raw
    record = {"t_us": t_us, "seq": seq, "kind": kind, "actor": actor, "request": request, "cause": cause}
    record.update(zip(KINDS[kind], detail, strict=False))
    return json.dumps(record, ensure_ascii=True, separators=(",", ":"))


def _read(line: str) -> RawRecord:
    fields = json.loads(line)
    kind = fields["kind"]
    detail = tuple(_frozen(fields.get(name)) for name in KINDS[kind])
    return fields["t_us"], fields["seq"], kind, fields["actor"], fields["request"], fields["cause"], detail


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
