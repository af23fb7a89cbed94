"""Recorded cases of the real runtime, as pages show them: where a case is, and what it was answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from book._ext.building import CASES


def find_case(case_id: str) -> Path:
    """The file of a case (of a Python project: its expected.json). Raises KeyError when there is none."""
    for found in (
        CASES / "python" / "cases" / case_id / "expected.json",
        CASES / "concurrency" / "cases" / f"{case_id}.json",
        CASES / "storage" / "cases" / f"{case_id}.json",
    ):
        if found.is_file():
            return found
    raise KeyError(f"no recorded case is called {case_id!r}")


def answers(path: Path, show: list[str]) -> list[str]:
    """The lines that a page prints of a case's recorded answer. Raises KeyError for what is not in it."""
    case = json.loads(path.read_text("utf-8"))
    if "observations" in case:
        said = dict(case["observations"])
        return [f"{label}: {text(said[label])}" for label in show or said]
    return [text(look_up(case["expect"], pointer)) for pointer in show]


def look_up(value: Any, pointer: str) -> Any:
    """What a JSON pointer such as "/log/0" leads to."""
    for part in pointer.strip("/").split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def text(value: object) -> str:
    """A value as JSON; a list of lists takes one line each."""
    if isinstance(value, list) and value and all(isinstance(item, list) for item in value):
        return "\n".join(json.dumps(item, ensure_ascii=False) for item in value)
    return json.dumps(value, ensure_ascii=False)
