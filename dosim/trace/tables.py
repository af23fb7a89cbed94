"""HTML tables: how every object that a learner can hold shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def html_table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """A table with these column names and rows; every cell is escaped, numbers are set flush right."""
    note = f"<caption>{escape(caption)}</caption>" if caption else ""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(_cell(str(cell)) for cell in row) + "</tr>" for row in rows)
    return f"<table>{note}<thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    side = " style='text-align:right'" if text.lstrip("$-−")[:1].isdigit() else ""
    return f"<td{side}>{escape(text)}</td>"
