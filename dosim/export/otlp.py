"""OTLP/JSON: a trace for each request from outside, as OpenTelemetry tools read it (Jaeger, Tempo, a collector).

A client's request or a call is a client span (kind 3) of whoever asked; what was asked answers it in a server span
(kind 2) inside. Alarms and other events begin traces of their own, linked to what set them off if the trace tells.
Attributes are OpenTelemetry's and Cloudflare's (`queue_time_ms`, `input_gate_lock_wait_ms`); those that begin with
`dosim.` are the simulator's. Ids are hashes of the records and the request: same run, same ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from dosim.explain import Story
from dosim.export.sources import exported
from dosim.platform.facts import EPOCH_MS
from dosim.trace import Trace, partition
from dosim.trace.kinds import ONE_WAY
from dosim.trace.messages import OUTSIDE
from dosim.trace.records import RawRecord
from dosim.trace.segments import cloudflare_attributes
from dosim.trace.words import last_line

Json = dict[str, object]

_SERVER: Final = 2
_CLIENT: Final = 3
_OK: Final = 1
_ERROR: Final = 2
#: Records that a server span tells as its events, and the name of the value that is their text.
_EVENTS: Final = {"log": 1, "warning": 0, "lost": 1, "commit_failed": 0, "cut_off": 0}


def to_otlp(source: object) -> dict[str, object]:
    """The requests of a simulation or a trace as an OTLP `TracesData` object, ready for `json.dump`.

    Times are nanoseconds of the simulated date. A span that has not ended ends with the trace and has
    `dosim.unfinished`. Raises TypeError for another source, ValueError for a trace that keeps nothing.
    """
    trace = exported(source)
    return {"resourceSpans": [_resource(trace, story, actor, spans) for story, actor, spans in _by_actor(trace)]}


def otlp_text(source: object) -> Iterator[str]:
    """The same as text, in pieces: one span a line."""
    trace = exported(source)
    yield '{"resourceSpans":['
    for number, (story, actor, spans) in enumerate(_by_actor(trace)):
        lines = ",\n".join(_compact(span) for span in spans)
        whole = _compact(_resource(trace, story, actor, []))
        yield (",\n" if number else "\n") + whole.replace('"spans":[]', '"spans":[\n' + lines + "\n]", 1)
    yield "\n]}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _resource(trace: Trace, story: Story, actor: str, spans: list[Json]) -> Json:
    said: Json = {"service.name": actor}
    if actor not in story.clients:
        said["cloud.provider"] = "cloudflare"
    if story.colo(actor):
        said["cloud.region"] = story.colo(actor)
    said |= {"dosim.retention": trace.retention, "dosim.records": trace.count, "dosim.records_kept": len(trace)}
    return {"resource": {"attributes": _attributes(said)}, "scopeSpans": [{"scope": {"name": "dosim"}, "spans": spans}]}


def _by_actor(trace: Trace) -> Iterator[tuple[Story, str, list[Json]]]:
    writer = _Writer(trace)
    for actor, spans in writer.spans().items():
        yield writer.story, actor, spans


class _Writer:
    """Every request of a trace as its spans."""

    def __init__(self, trace: Trace) -> None:
        self.story = Story(trace)
        text = sha256()
        for line in trace.lines():
            text.update(line.encode())
        self._run = text.digest()
        #: Record -> the request whose code brought it about; a frame is its sender's.
        self._requests: dict[int, int] = {}
        for raw in trace.raw:
            request = self._requests.get(raw[5], 0) if raw[2] == "frame" else raw[4]
            if request:
                self._requests[raw[1]] = request

    def spans(self) -> dict[str, list[Json]]:
        """By the actor that they belong to, in order of requests."""
        found: dict[str, list[Json]] = {}
        for request in self.story.records:
            for actor, span in self._request(request):
                found.setdefault(actor, []).append(span)
        return found

    def _id(self, what: str, request: int, size_bytes: int) -> str:
        return sha256(self._run + f"{what} {request}".encode()).hexdigest()[: 2 * size_bytes]

    def _request(self, request: int) -> Iterator[tuple[str, Json]]:
        records = self.story.records[request]
        head, end = records[0], self.story.answer(request)
        server, caller = self._server(records), self._caller(head)
        asks = _asks(head)
        if asks:
            asker = head[3] if head[2] == "send" else self._asker(caller)
            end_us = self.story.last_us if end is None else end[0]
            parent = self._inside(caller)
            yield asker, self._span("client", request, parent, head[0], end_us, records, end is None)
        if server is not None:
            actor, start_us, end_us = server
            unfinished = end is None and end_us == self.story.last_us
            parent = ("client", request) if asks else None
            span = self._span("server", request, parent, start_us, end_us, records, unfinished)
            cause = 0 if asks else self._requests.get(head[5], 0)
            linked = self._inside(cause)
            if linked is not None and cause != request:
                span["links"] = [{"traceId": self._trace_id(cause), "spanId": self._id(*linked, 8)}]
            yield actor, span

    def _inside(self, request: int) -> tuple[str, int] | None:
        """The span of a request's code, or of whoever asked for it; None if neither is kept."""
        records = self.story.records.get(request)
        if not records:
            return None
        if self._server(records) is not None:
            return "server", request
        return ("client", request) if _asks(records[0]) else None

    def _caller(self, head: RawRecord) -> int:
        """The request whose code made this call; 0 if none did."""
        caller = head[6][0] if head[2] == "call" else 0
        return caller if isinstance(caller, int) and caller in self.story.records else 0

    def _asker(self, caller: int) -> str:
        server = self._server(self.story.records[caller]) if caller else None
        return OUTSIDE if server is None else server[0]

    def _server(self, records: list[RawRecord]) -> tuple[str, int, int] | None:
        """(actor, from, to) of the side that was asked; None if the request never came there."""
        start = next((raw for raw in records if raw[2] in ("arrive", "worker", "isolate", "serve", "start")), None)
        if start is None:
            return None
        ends = [raw[0] for raw in records if raw[2] in ("return", "throw", "turn_away", "reply", "cut_off")]
        over = [raw[0] for raw in records if raw[2] == "result"]  # a service's answer has no other end
        return start[3], start[0], max(ends) if ends else max(over, default=self.story.last_us)

    def _trace_id(self, request: int) -> str:
        return self._id("trace", self.story.root(request), 16)

    def _span(
        self,
        side: str,
        request: int,
        parent: tuple[str, int] | None,
        start_us: int,
        end_us: int,
        records: list[RawRecord],
        open_: bool,
    ) -> Json:
        span: Json = {"traceId": self._trace_id(request), "spanId": self._id(side, request, 8)}
        if parent is not None:
            span["parentSpanId"] = self._id(*parent, 8)
        span |= {
            "name": self._name(request, records[0]),
            "kind": _CLIENT if side == "client" else _SERVER,
            "startTimeUnixNano": _nanoseconds(start_us),
            "endTimeUnixNano": _nanoseconds(end_us),
            "attributes": _attributes(self._said(side, request, records, open_)),
        }
        told = [] if side == "client" else [_event(raw) for raw in records if raw[2] in _EVENTS]
        if told:
            span["events"] = told
        error = _error(side, records)
        if error:
            span["status"] = {"code": _ERROR, "message": error}
        elif not open_:
            span["status"] = {"code": _OK}
        return span

    def _name(self, request: int, head: RawRecord) -> str:
        return str(head[6][0]) if head[2] == "send" else self.story.what(request)

    def _said(self, side: str, request: int, records: list[RawRecord], open_: bool) -> Json:
        head = records[0]
        said: Json = {"dosim.request": request}
        if head[2] == "send":
            said |= {"http.request.method": str(head[6][0]), "url.full": str(head[6][1])}
            status = next((raw[6][0] for raw in records if raw[2] == "response"), None)
            if isinstance(status, int):
                said["http.response.status_code"] = status
        elif head[2] == "call":
            said |= {"rpc.method": str(head[6][3]), "dosim.via": str(head[6][1])}
        if side == "server" and head[2] == "call":
            said |= cloudflare_attributes(partition(records))
        if open_:
            said["dosim.unfinished"] = True
        return said


def _asks(head: RawRecord) -> bool:
    """Whether somebody waits for the answer: not so with events, nor when the beginning is not kept."""
    return head[2] == "send" or (head[2] == "call" and head[6][1] not in ONE_WAY)


def _error(side: str, records: Iterable[RawRecord]) -> str:
    """What went wrong, as that side saw it; "" if nothing did."""
    failed = ""
    for raw in records:
        if raw[2] in ("throw", "turn_away") or (side == "client" and raw[2] == "failed"):
            failed = last_line(raw[6][0])
        elif side == "client" and raw[2] == "lost":
            failed = f"the {raw[6][0]} was lost: {raw[6][1]}"
        elif side == "client" and raw[2] == "result" and not raw[6][0]:
            failed = failed or "the call failed"
    return failed


def _event(raw: RawRecord) -> Json:
    text = {"dosim.text": str(raw[6][_EVENTS[raw[2]]])}
    return {"timeUnixNano": _nanoseconds(raw[0]), "name": raw[2], "attributes": _attributes(text)}


def _nanoseconds(us: int) -> str:
    return str(EPOCH_MS * 1_000_000 + us * 1_000)


def _attributes(said: Mapping[str, object]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in said.items()]


def _value(value: object) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}
