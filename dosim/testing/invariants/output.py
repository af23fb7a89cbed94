"""The output gate's promise: what the world has seen is on disk."""

from __future__ import annotations

import sys
from bisect import bisect_right
from typing import Final

from dosim.testing.invariants.violations import at, kept_trace, told, violated
from dosim.trace.records import RawRecord, Trace
from dosim.trace.words import exact

#: Storage operations that write, as the trace names them. Of "sql" the first word decides.
_READS: Final = frozenset(("get", "list", "getAlarm"))
_SQL_READS: Final = frozenset(("select", "explain", "pragma", "values"))
#: How a write is lost, by the record that tells it.
_LOSSES: Final = {
    "crash": "the machine crashed and took the write with it",
    "reset": "the object was reset before the write was committed",
    "evict": "the object left memory before the write was committed",
    "commit_failed": "the commit of the write failed",
    "section_end": "the transaction failed and took the write back",
}


def no_unconfirmed_output(source: object) -> None:
    """Nothing the world saw may be missing after a crash: no output leaves before the writes it follows are confirmed.

    Why people get it wrong: `await put()` is read as "it is on disk". It returns at once; the write is confirmed some
    milliseconds after its turn, and until then the output gate holds every answer, call and frame of the object. So
    not awaiting a put loses nothing either. The gate is not there where you step around it: inside an asynchronous
    `storage.transaction` a fetch leaves while the writes before it are still undecided. The card is charged, then the
    machine is gone or the transaction rolls back, and nothing says so. Write first, let the turn end, then call.
    Source: blog.cloudflare.com "Durable Objects: Easy, Fast, Correct: Choose three". The platform's option
    `allowUnconfirmed` asks for an output that does not wait; dosim has every output wait. Seen in the field: what may
    leave when is derived by argument, and two documents had to explain it again (cloudflare-docs#2084, #2680).

    source: a simulation or a trace. Checks every call, answer and frame that an object sent after a write, whether or
    not a crash came in between; the story says if one did. Raises InvariantViolated with the write and the output.
    """
    trace = kept_trace(source, "no_unconfirmed_output")
    outputs = _Outputs()
    for raw in trace.raw:
        outputs.take(raw)
    for left, write in outputs.found:
        early = write.confirmed_us is not None and left[0] < write.confirmed_us
        if early or (write.lost is not None and left[0] <= write.lost[0]):
            story = _story(trace, left, write)
            request = left[4] or write.record[4]
            raise violated(source, "no_unconfirmed_output", story, at_us=left[0], request=request)


def _story(trace: Trace, left: RawRecord, write: _Write) -> str:
    record, confirmed_us = write.record, write.confirmed_us
    operation, key = str(record[6][0]), str(record[6][1])
    said = key if operation == "sql" else f"{operation}({key!r})" if key else f"{operation}()"
    by = f" by {told(trace, record[4])}" if record[4] else ""
    story = f"{_what(trace, left)} left {record[3]} at {at(left[0])}, after {said} at {at(record[0])}{by}."
    if write.lost is not None:
        return f"{story} At {at(write.lost[0])} {_LOSSES[write.lost[2]]}: the world has seen what is no longer there."
    assert confirmed_us is not None
    gap = exact(confirmed_us - left[0])
    return (
        f"{story} That write was confirmed only at {at(confirmed_us)}: a crash in these {gap} would have taken it, and"
        " left what the world has seen."
    )


def _what(trace: Trace, left: RawRecord) -> str:
    if left[2] == "frame":
        return "a WebSocket message"
    return f"the {'answer to' if left[2] == 'reply' else 'call'} {told(trace, left[4])}"


def _is_write(raw: RawRecord) -> bool:
    operation, key = str(raw[6][0]), str(raw[6][1])
    if operation == "sql":
        return key.partition(" ")[0].lower() not in _SQL_READS
    return operation not in _READS


class _Write:
    """A write of an object, and what became of it: confirmed at a time, or lost with a record."""

    __slots__ = ("confirmed_us", "in_transaction", "lost", "record")

    def __init__(self, record: RawRecord, *, in_transaction: bool) -> None:
        self.record = record
        self.in_transaction = in_transaction
        self.confirmed_us: int | None = None
        self.lost: RawRecord | None = None


class _Object:
    """What is known of one object: its writes, its turns, whether a transaction is open."""

    def __init__(self) -> None:
        self.writes: list[_Write] = []
        self.turns: list[int] = []
        #: Requests whose handlers have ended in this turn, or since one could not be committed: the reset that ends the
        #: turn makes their answers errors.
        self.answered: list[int] = []
        self.doomed = False
        self.transactions: list[list[_Write]] = []
        self._open: list[_Write] = []
        self._unconfirmed: list[_Write] = []

    def write(self, raw: RawRecord) -> None:
        write = _Write(raw, in_transaction=bool(self.transactions))
        self.writes.append(write)
        self._open.append(write)
        for transaction in self.transactions:
            transaction.append(write)

    def turn(self, seq: int) -> None:
        """Another turn begins: what was not committed at the end of the last one was no write after all."""
        self.turns.append(seq)
        if not self.doomed:
            self.answered.clear()
        if not self.transactions:
            self._open.clear()

    def commit(self, raw: RawRecord) -> None:
        confirmed_us = raw[0] + int(str(raw[6][1]))
        for write in self._open:
            write.confirmed_us = confirmed_us
        self._unconfirmed = [write for write in self._unconfirmed if (write.confirmed_us or 0) > raw[0]] + self._open
        self._open = []

    def end_transaction(self, raw: RawRecord) -> None:
        if self.transactions:
            undone = self.transactions.pop()
            if not raw[6][1]:
                self._lose(undone, raw)

    def end(self, raw: RawRecord) -> None:
        """The turn failed or the life is over; a crash takes with it what was not confirmed.

        An object that leaves memory has everything on disk that it committed.
        """
        self._lose(self._open, raw)
        if raw[2] == "crash":
            self._lose([write for write in self._unconfirmed if (write.confirmed_us or 0) > raw[0]], raw)
        elif raw[2] == "evict":
            for write in self._unconfirmed:
                if write.confirmed_us is not None:
                    write.confirmed_us = min(write.confirmed_us, raw[0])
            self._unconfirmed = []
        self._open = []
        self.transactions.clear()

    @staticmethod
    def _lose(writes: list[_Write], raw: RawRecord) -> None:
        for write in writes:
            write.lost = write.lost or raw

    def last_before(self, seq: int) -> _Write | None:
        return next((write for write in reversed(self.writes) if write.record[1] < seq), None)

    def last_in_turn_of(self, seq: int) -> _Write | None:
        """The last write of the turn that a record belongs to, or before it: a turn's output leaves as one."""
        after = bisect_right(self.turns, seq)
        end = self.turns[after] if after < len(self.turns) else sys.maxsize
        last = self.last_before(end)
        return self.last_before(seq) if last is not None and last.in_transaction else last


class _Outputs:
    """Reads a trace; `found` is everything that left an object behind a write."""

    def __init__(self) -> None:
        self.found: list[tuple[RawRecord, _Write]] = []
        self._objects: dict[str, _Object] = {}
        #: Request -> the object whose code works on it; the last write before its next message was made.
        self._at_work: dict[int, str] = {}
        self._behind: dict[int, _Write | None] = {}

    def take(self, raw: RawRecord) -> None:
        kind, label, request = raw[2], raw[3], raw[4]
        if kind in ("start", "resume"):
            self._at_work[request] = label
            self._objects.setdefault(label, _Object()).turn(raw[1])
        elif kind == "call":
            self._made(request, self._at_work.get(int(str(raw[6][0]))), raw)
        elif kind in ("return", "throw"):
            self._made(request, label, raw)
            if label in self._objects:
                self._objects[label].answered.append(request)
        elif kind == "turn_away":
            self._behind.pop(request, None)
        elif kind in ("leave", "reply"):
            self._left(raw, self._behind.get(request))
        elif label in self._objects:
            self._of_object(raw, self._objects[label])

    def _of_object(self, raw: RawRecord, known: _Object) -> None:
        kind = raw[2]
        if kind == "storage" and _is_write(raw):
            known.write(raw)
        elif kind == "commit":
            known.commit(raw)
        elif kind in ("commit_failed", "reset", "crash", "evict"):
            known.end(raw)
            known.doomed = kind == "commit_failed"
            if kind == "reset":
                for request in known.answered:
                    self._behind.pop(request, None)
        elif kind == "section_start" and raw[6][0] == "transaction":
            known.transactions.append([])
        elif kind == "section_end" and raw[6][0] == "transaction":
            known.end_transaction(raw)
        elif kind == "frame" and raw[6][1] == "message":
            self._left(raw, known.last_in_turn_of(raw[5]))

    def _made(self, request: int, label: str | None, raw: RawRecord) -> None:
        known = self._objects.get(label or "")
        self._behind[request] = known.last_before(raw[1]) if known is not None else None

    def _left(self, raw: RawRecord, write: _Write | None) -> None:
        if write is not None and (write.lost is None or write.lost[1] > raw[1]):
            self.found.append((raw, write))
