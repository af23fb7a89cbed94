"""The story of a run that broke: lanes of text, one for each request that took part, read from the trace.

Time goes down, each request has a column, and what the chooser did otherwise than plainly stands across all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from dosim.trace import Trace
from dosim.trace.kinds import KINDS, ONE_WAY
from dosim.trace.records import RawRecord
from dosim.trace.words import cut, exact

#: Columns, characters of each, and rows: what fits on a page.
LANES = 3
WIDTH = 38
ROWS = 40
#: Characters of what stands across the columns, at least.
ACROSS = 2 * WIDTH

#: Kinds of records that are told, and how; the others are how it came about.
_SAID = {
    "send": "sends {method} {url}",
    "call": "calls {target}.{method}",
    "start": "starts",
    "resume": "goes on after {after}",
    "storage": "{operation} {key}",
    "commit_failed": "its commit fails",
    "section_start": "begins {section}",
    "section_end": "ends {section}",
    "return": "returns",
    "throw": "throws {error}",
    "turn_away": "is turned away: {error}",
    "lost": "its {what} is lost",
    "frame": "sends a frame",
    "serve": "is served",
    "response": "gets {status}",
    "failed": "fails: {error}",
}
#: Told across all columns: what happens to objects, not to requests.
_ACROSS = {
    "choice": ">> {decision}: {text}",
    "fault": ">> {verb} {what}",
    "construct": "{actor}: instance {instance} begins",
    "evict": "{actor}: instance {instance} leaves memory",
    "crash": "{actor}: instance {instance} is gone",
    "reset": "{actor}: instance {instance} is reset: {error}",
    "alarm_set": "{actor}: an alarm is set",
    "commit": "{actor}: {writes} written",
}


#: With what a request is over for whoever waits for it, and one that nobody waits for.
_ENDS = ("response", "failed", "result")
_ENDS_ALONE = ("return", "throw", "turn_away")


def lanes(trace: Trace, *, rows: int = ROWS) -> str:
    """The trace of a run as columns of text, one for each request from outside; at most LANES of them.

    Chosen are the requests around the last deviation, else the last ones; of a long run, the last `rows` rows.
    """
    raw = list(trace.raw)
    roots = _roots(raw)
    chosen = _chosen(raw, roots)
    titles = {record[4]: _title(record) for record in raw if record[2] in ("call", "send")}
    lines: list[str] = []
    for before, record in zip([None, *raw], raw, strict=False):
        if record[2] == "fault" and before is not None and before[2] == "choice":
            continue  # the choice has said it
        lines += _lines(record, roots, chosen, titles)
    left = len(lines) - rows
    shown = [f"({left} lines before this are left out)", *lines[-rows:]] if left > 0 else lines
    heads = " | ".join(_cell(titles.get(root, f"#{root}")) for root in chosen)
    return "\n".join([f"{'time':>12}  {heads}".rstrip(), *shown])


def _roots(raw: Sequence[RawRecord]) -> dict[int, int]:
    """Request -> the request from outside that it belongs to."""
    roots: dict[int, int] = {}
    for record in raw:
        request, kind, detail = record[4], record[2], record[6]
        if request and request not in roots:
            caller = int(str(detail[0])) if kind == "call" else 0
            roots[request] = roots.get(caller, caller) if caller else request
    return roots


def _chosen(raw: Sequence[RawRecord], roots: dict[int, int]) -> list[int]:
    """The requests that have a column: those that were under way when the run deviated, then the last ones."""
    #: Nobody waits for an alarm's run, so it is over when its handler is.
    alone = {record[4] for record in raw if record[2] == "call" and record[6][1] in ONE_WAY}
    under_way: dict[int, None] = {}
    deviating: dict[int, None] = {}
    last: dict[int, None] = {}
    for record in raw:
        root = roots.get(record[4])
        if record[2] == "choice":
            deviating.update(under_way)
        if root is None:
            continue
        last.pop(root, None)
        last[root] = None
        if record[4] == root and record[2] in (_ENDS_ALONE if root in alone else _ENDS):
            under_way.pop(root, None)
        else:
            under_way[root] = None
    found = [*deviating][-LANES:]
    for root in reversed(last):
        if len(found) < LANES and root not in found:
            found.append(root)
    return sorted(found)


def _cell(text: str) -> str:
    """One line of a column."""
    return cut(" ".join(text.split()), WIDTH).ljust(WIDTH)


def _title(record: RawRecord) -> str:
    values = dict(zip(KINDS[record[2]], record[6], strict=False))
    if record[2] == "send":
        return f"#{record[4]} {values['method']} {values['url']}"
    return f"#{record[4]} {values['target']}.{values['method']}"


def _lines(record: RawRecord, roots: dict[int, int], chosen: Sequence[int], titles: dict[int, str]) -> list[str]:
    t_us, _, kind, actor, request, _, detail = record
    values = dict(zip(KINDS[kind], detail, strict=False)) | {"actor": actor}
    time = f"{exact(t_us):>12}  "
    if kind in _ACROSS:
        text = _ACROSS[kind].format(**values)
        if request in titles and roots.get(request) not in chosen:  # whoever has no column is named
            text += f", by {titles[request]}"
        width = max(ACROSS, len(chosen) * (WIDTH + 3) - 3)
        return [time + line if n == 0 else " " * 14 + line for n, line in enumerate(wrap(text, width))]
    root = roots.get(request)
    if kind not in _SAID or root not in chosen or (kind == "call" and request == root):
        return []
    who = "" if request == root else f"#{request} "
    cells = [_cell(who + _SAID[kind].format(**values) if n == root else "") for n in chosen]
    return [(time + " | ".join(cells)).rstrip()]
