"""The `recorded` directive: what the real runtime answered, read from a recorded case, beside a program of the book.

    :::{recorded} gate_ten_sleepers_overlap
    :show: units
    :::

The argument is the id of a case below `tests/conformance`. `show` picks what to print: labels of a Python case's
observations, separated by ";", or JSON pointers into the `expect` of another. Raises an error, which stops the build,
for an id or a pointer that does not exist and for a case that dosim does not pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.errors import ExtensionError

from book._ext import building
from book._ext.cases import answers, find_case

PASSES = ("passed", "adapted")


class Recorded(Directive):
    """An admonition with the recorded answer, the case's id and what dosim's replay of it gave."""

    required_arguments = 1
    has_content = False
    option_spec: ClassVar = {"show": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        case_id = self.arguments[0]
        show = [part.strip() for part in self.options.get("show", "").split(";") if part.strip()]
        try:
            path = find_case(case_id)
            lines = answers(path, show)
            status = self._status(case_id)
        except (KeyError, IndexError, ValueError) as error:
            raise self.error(f"recorded case {case_id}: {error}") from None
        self.state.document.settings.env.note_dependency(str(path))
        return [box(case_id, json.loads(path.read_text("utf-8")), lines, status)]

    @staticmethod
    def _status(case_id: str) -> str:
        (row,) = [row for row in building.conformance(building.digest()) if row["id"] == case_id]
        if row["status"] not in PASSES:
            raise ValueError(f"dosim does not pass it ({row['status']})")
        under = f", under {', '.join(row['rules'])}" if row["rules"] else ""  # type: ignore[arg-type]
        return f"{row['status']}{under}"


def box(case_id: str, case: dict[str, Any], lines: list[str], status: str) -> nodes.Node:
    admonition = nodes.admonition(classes=["recorded", "admonition-recorded"])
    admonition += nodes.title("", "What the real runtime answered")
    admonition += nodes.literal_block("\n".join(lines), "\n".join(lines), language="none")
    foot = nodes.paragraph(classes=["recorded-case"])
    foot.extend(footnote(case_id, case, status))
    admonition += foot
    return admonition


def footnote(case_id: str, case: dict[str, Any], status: str) -> Iterator[nodes.Node]:
    runtime = case.get("runtime") or case.get("recorded") or ""
    if isinstance(runtime, dict):
        runtime = f"workerd {str(runtime['workerd']).removeprefix('workerd ')}"
    yield nodes.Text("Recorded case ")
    yield nodes.literal("", case_id)
    yield nodes.Text(f" ({runtime}): ")
    title = str(case.get("title") or case["why"]).rstrip(".")
    for number, piece in enumerate(title.split("`")):  # what stands between backquotes is code
        yield nodes.literal("", piece) if number % 2 else nodes.Text(piece)
    yield nodes.Text(". dosim's replay in this build: ")
    yield nodes.strong("", status)
    yield nodes.Text(".")


def setup(app: Any) -> dict[str, bool]:
    if not building.CASES.is_dir():
        raise ExtensionError("the recorded cases are missing: the book is built from a whole checkout.")
    app.add_directive("recorded", Recorded)
    return {"parallel_read_safe": True}
