"""
Finds recorded cases under paths and runs each in a fresh world.

A path is a case file, a project folder, or any folder: folders are walked in sorted order. Three formats are told
apart by their keys: storage cases have `object_config`, concurrency cases `versions`, projects an `expected.json`
beside an `entry.py`.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from dosim.testing.conformance.projects import is_project, run_project
from dosim.testing.conformance.results import ADAPTED, FAILED, LATER, NOT_APPLICABLE, PASSED, CaseResult

#: Decoded JSON of a case file.
Json: TypeAlias = Any

#: When a case is judged on several runtime versions, the first of these found decides.
WORST_FIRST = (FAILED, LATER, NOT_APPLICABLE, ADAPTED, PASSED)


class NoCase(ValueError):
    """A path that holds no recorded case; the text names the path and the three formats."""


@dataclass(frozen=True, slots=True)
class Item:
    """One case to run: where it is, and the function that runs it in an empty folder."""

    path: Path
    run: Callable[[Path], list[CaseResult]]


def find_cases(paths: Sequence[str | Path]) -> list[Item]:
    """Every case under `paths`, in order and without repetition. NoCase when a path holds none."""
    items: dict[Path, Item] = {}
    for given in paths:
        path = Path(given)
        found = list(walk(path))
        if not found:
            raise NoCase(
                f"no recorded case in {str(given)!r}: give a case file (.json), a folder of cases, or a project folder "
                "with entry.py, wrangler.jsonc and expected.json; the formats are described in tests/conformance."
            )
        for item in found:
            items.setdefault(item.path.resolve(), item)
    return list(items.values())


def walk(path: Path) -> Iterator[Item]:
    """The cases of one file or folder."""
    if path.is_file():
        item = file_item(path)
        if item is not None:
            yield item
    elif is_project(path):
        yield Item(path, lambda work, folder=path: run_project(folder, work))  # type: ignore[misc]
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if child.is_dir() or child.suffix == ".json":
                yield from walk(child)


def file_item(path: Path) -> Item | None:
    """The case in a JSON file, or None when the file is something else."""
    if path.suffix != ".json":
        return None
    try:
        case = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
    if not isinstance(case, dict) or not {"id", "steps", "expect"} <= case.keys():
        return None
    return Item(path, lambda work: run_file(case, work))


def run_file(case: Json, work: Path) -> list[CaseResult]:
    """Run a storage or concurrency case; the engines load when first used."""
    if "object_config" in case:
        from dosim.testing.conformance.storage import run_storage_case

        return run_storage_case(case, work)
    from dosim.testing.conformance.concurrency import run_concurrency_case

    return run_concurrency_case(case, work)


def run_item(item: Item) -> CaseResult:
    """
    Run one case in a temporary folder and merge its versions into one result.

    Warnings are silent: that a case does what is not portable, or drops a call, is what it is about.
    """
    with tempfile.TemporaryDirectory(prefix="dosim-case-") as work, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return merged(item.run(Path(work)))


def merged(results: Sequence[CaseResult]) -> CaseResult:
    """One result for a case judged on several versions: the worst decides, rules and reasons are joined."""
    worst = min(results, key=lambda result: WORST_FIRST.index(result.status))
    joined = tuple(dict.fromkeys(name for result in results for name in result.rule_or_reason))
    where = worst.where if worst.id == results[0].id else f"{worst.id}: {worst.where}"
    return replace(worst, id=results[0].id, rule_or_reason=joined, where=where)


def run_paths(paths: Sequence[str | Path]) -> list[CaseResult]:
    """Run every case under `paths`; results in the order found."""
    return [run_item(item) for item in find_cases(paths)]
