"""Tables of the book, as Markdown, made from dosim's own data: constants, prices, platforms, decisions, conformance.

A constant is a module's upper-case name; what is known of it stands in the `#:` comment above it, which counts for
every name below it until a blank line or another comment.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from dosim.kernel.chooser import FAULTS, OPEN_ORDERS, ORDERS, said
from dosim.kernel.durations import duration_text
from dosim.network import CONSTANTS
from dosim.platform.facts import CLOUDFLARE, FAILOVER_US, TABLE, WORKERD, Platform
from dosim.platform.prices import PRICE_LISTS, PriceList
from dosim.project.bindings import UNSUPPORTED
from dosim.testing.conformance.results import LATER, NOT_APPLICABLE, STATUSES
from dosim.testing.conformance.rules import all_rules
from dosim.testing.conformance.runner import run_paths
from dosim.trace import KINDS

#: title -> modules whose constants are listed below it.
MODULES = {
    "Objects, alarms, sockets, faults": ("dosim.platform.facts",),
    "KV": ("dosim.bindings.kv_store",),
    "R2": ("dosim.bindings.r2_store", "dosim.bindings.r2_uploads"),
    "D1": ("dosim.bindings.d1_store",),
    "Queues": ("dosim.bindings.queues",),
    "Bills": ("dosim.platform.prices",),
}
#: What a comment says -> the word of the table, in the order of the table's words.
STATUS = {
    "documented": "documented",
    "measured": "measured",
    "recorded": "measured",
    "observed": "measured",
    "assumed": "assumed",
    "decided": "decided",
}
#: A source without such a word that is read, not run: the runtime's code, a standard, a document.
READ = re.compile(r"workerd|standard|partials/|docs/|changelog", re.IGNORECASE)
#: Kind of decision -> what is decided.
DECISIONS = {
    "event": "which of the events of one instant comes first",
    "waiter": "which of those who wait at an input gate goes first",
    "ready": "which of the tasks that are ready in one turn runs first; the platform keeps the order in which they"
    " became ready, so this one is open only where it is named",
    "delay": "how much longer a message takes: a request, an answer, a frame of a WebSocket",
    "retry": "whether a request that never arrived is sent again",
    "object": "before each event of an object that is in memory",
    "message": "a request or an answer on its way",
    "commit": "a write that is to be confirmed",
    "alarm": "an alarm that is to run",
}
#: Fault -> what it brings.
BRINGS = {
    "evict": "the object leaves memory; storage and hibernatable sockets stay",
    "crash": "its machine is gone, and with it what was not confirmed",
    "reset": "the object is reset: whoever waits for it is told of an error",
    "deploy": "the same code is deployed again, which resets its objects",
    "request_lost": "a request does not arrive; the platform sends some again",
    "reply_lost": "it was done, and nobody is told",
    "disk_fails": "the write is not made, and the object is reset",
    "alarm_late": f"it runs {duration_text(FAILOVER_US)} later",
    "alarm_twice": "it succeeds, and runs once more",
}
UNITS = {"_BYTES": "bytes", "_MS": "ms", "_KM": "km", "_DAYS": "days", "_MB": "MB"}


@dataclass(frozen=True, slots=True)
class Row:
    """One constant: its value for people, how it is known ("measured, documented"), what its comment says."""

    name: str
    value: str
    status: str
    comment: str


def constants_of(module_name: str) -> list[Row]:
    """Every public number, date and text with a `#:` comment in a module, in the order of its source."""
    module = import_module(module_name)
    source = Path(str(module.__file__)).read_text("utf-8")
    lines = source.splitlines()
    rows = []
    comment: list[str] = []
    last = 0
    for node in ast.parse(source).body:
        name = assigned(node)
        if name is None:
            continue
        above = comment_above(lines, node.lineno)
        if above:
            comment = above
        elif node.lineno != last + 1:
            comment = []
        last = node.end_lineno or node.lineno
        value = getattr(module, name)
        if comment and isinstance(value, int | float | str):
            text = " ".join(comment)
            rows.append(Row(name, shown(name, value), status(text), text))
    return rows


def assigned(node: ast.stmt) -> str | None:
    """The public upper-case name that a statement of a module gives a value."""
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
        return None
    name = node.target.id
    return name if name.isupper() and not name.startswith("_") else None


def comment_above(lines: Sequence[str], line: int) -> list[str]:
    """The `#:` lines that end right above a line (counted from 1)."""
    found: list[str] = []
    index = line - 2
    while index >= 0 and lines[index].startswith("#:"):
        found.insert(0, lines[index][2:].strip())
        index -= 1
    return found


def status(comment: str) -> str:
    """How a constant is known, in the words of the table; "" when the comment does not say."""
    said = [word for name, word in STATUS.items() if re.search(rf"\b{name}\b", comment, re.IGNORECASE)]
    if not said and READ.search(comment):
        said = ["documented"]
    return ", ".join(dict.fromkeys(said))


def shown(name: str, value: float | str) -> str:
    """A value with its unit, as the end of its name tells it."""
    if isinstance(value, str):
        return f"`{value}`"
    if name.endswith("_US"):
        return duration_text(int(value))
    unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
    return f"{value:,} {unit}".strip()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def plain(text: str) -> str:
    """A comment as Markdown: code stays code, `*emphasis*` becomes words, every other character means itself."""
    parts = re.split(r"(`[^`]*`)", re.sub(r"\*(\w+)\*", r"\1", text))
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]$])", r"\\\1", part) for part in parts)


def constant_tables() -> dict[str, str]:
    """File name -> Markdown, of everything that is known without running anything."""
    pages = [network_table()]
    for title, modules in MODULES.items():
        rows = [row for module in modules for row in constants_of(module)]
        listed = ((f"`{row.name}`", row.value, row.status, plain(row.comment)) for row in rows)
        pages.append(f"## {title}\n\n" + table(("name", "value", "status", "what, and how it is known"), listed))
    return {
        "constants.md": "\n".join(pages),
        "platforms.md": platform_table(),
        "decisions.md": decision_table(),
        "faults.md": fault_table(),
        "kinds.md": table(("kind", "what it carries"), ((f"`{kind}`", named(names)) for kind, names in KINDS.items())),
        "prices.md": price_table(PRICE_LISTS[-1]),
        "refused.md": table(("in wrangler's configuration", "what"), ((f"`{k.key}`", k.thing) for k in UNSUPPORTED)),
    }


def decision_table() -> str:
    """`ORDERS` of the chooser: what is open in a run without any fault."""
    rows = []
    for kind, names in ORDERS.items():
        choices = ", ".join(f"`{name}`" for name in names) or "a place in the line, 1 or more"
        rows.append((f"`{kind}`", DECISIONS[kind], choices, f"`{said((kind, 1), 1)}`", answer(kind in OPEN_ORDERS)))
    return table(("kind", "what is decided", "choices beside the plain one", "written", "open unless told"), rows)


def fault_table() -> str:
    """`FAULTS` of the chooser: what may come where, and how it is written."""
    rows = [
        (f"`{kind}`", DECISIONS[kind], f"`{fault}`", BRINGS[fault], f"`{said((kind, 1), choice)}`")
        for kind, faults in FAULTS.items()
        for choice, fault in enumerate(faults, 1)
    ]
    return table(("kind", "where", "fault", "what it brings", "written"), rows)


def network_table() -> str:
    rows = ((f"`{c.name}`", amount(c.value, c.unit), c.status, plain(c.source)) for c in CONSTANTS)
    return "## Network\n\n" + table(("name", "value", "status", "source"), rows)


def amount(value: float, unit: str) -> str:
    """A number of the network with its unit; a ratio has none."""
    if unit == "µs" and value == int(value):
        return duration_text(int(value))
    return f"{value:,}" if unit in ("ratio", "exponent") else f"{value:,} {unit}"


def platform_table() -> str:
    """`dosim.platform.facts.TABLE`: production beside the local runtime."""
    rows = []
    for field in fields(Platform):
        if field.name not in TABLE:
            continue
        what, cloudflare, workerd = TABLE[field.name]
        row = [what]
        for platform, known in ((CLOUDFLARE, cloudflare), (WORKERD, workerd)):
            row.append(f"**{answer(getattr(platform, field.name))}** – {plain(known)}")
        rows.append(row)
    return table(("what", '`platform="cloudflare"`', '`platform="workerd"`'), rows)


def named(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def answer(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "no limit" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def price_table(known: PriceList) -> str:
    """One dated list of prices."""
    head = f"Prices since {known.since} ({known.source}); the paid plan costs ${known.base_usd} a month.\n\n"
    rows = (
        (
            p.what,
            f"${p.usd} for {p.per:,} {p.unit}" if p.per > 1 else f"${p.usd} a {p.unit.removesuffix('s')}",
            f"{p.month:,}",
            f"{p.total:,} in all" if p.total is not None else "–" if p.day is None else f"{p.day:,}",
            plain(p.note),
            f"`{p.source}`",
        )
        for p in known.prices
    )
    return head + table(("meter", "price", "included a month", "free plan a day", "note", "source"), rows)


# -- conformance


def run_cases(folder: Path) -> list[dict[str, Any]]:
    """Every recorded case, run now: id, area, tier, format, status, rules or reasons."""
    return [
        {
            "id": result.id,
            "area": result.area,
            "tier": result.tier,
            "format": result.format,
            "status": result.status,
            "rules": list(result.rule_or_reason),
        }
        for result in run_paths([folder])
    ]


def conformance_tables(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """File name -> Markdown: the counts, the rules, what was skipped, and every case."""
    return {
        "conformance.md": counts(rows),
        "conformance-rules.md": rules(rows),
        "conformance-skipped.md": skipped(rows),
        "conformance-cases.md": "\n".join(case_lists(rows)),
    }


def counts(rows: Sequence[dict[str, Any]]) -> str:
    groups = Counter((row["format"], row["area"], row["status"]) for row in rows)
    places = sorted({(form, area) for form, area, _ in groups})
    body = [(form, area, *(groups[form, area, status] or "" for status in STATUSES)) for form, area in places]
    total = Counter(row["status"] for row in rows)
    body.append(("**all**", "", *(f"**{total[status]}**" for status in STATUSES)))
    return table(("recorded as", "area", *STATUSES), body)


def rules(rows: Sequence[dict[str, Any]]) -> str:
    used = Counter(rule for row in rows if row["status"] != LATER for rule in row["rules"])
    listed = ((rule.id, rule.title, used[rule.id], plain(rule.explanation)) for rule in all_rules() if used[rule.id])
    return table(("rule", "title", "cases", "what it says"), listed)


def skipped(rows: Sequence[dict[str, Any]]) -> str:
    found = [row for row in rows if row["status"] in (NOT_APPLICABLE, LATER)]
    titles = {rule.id: rule.title for rule in all_rules()}
    body = ((f"`{row['id']}`", row["status"], ", ".join(titles.get(r, r) for r in row["rules"])) for row in found)
    return table(("case", "status", "reason"), body)


def case_lists(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A folded list for each format."""
    for form in sorted({row["format"] for row in rows}):
        listed = [row for row in rows if row["format"] == form]
        body = ((f"`{row['id']}`", row["area"], row["status"], ", ".join(row["rules"])) for row in listed)
        yield f":::{{dropdown}} {form}: {len(listed)} cases\n{table(('case', 'area', 'status', 'rules'), body)}:::\n"
