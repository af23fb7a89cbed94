"""
Runs one recorded Python Workers project: load the folder, send `GET /`, compare the JSON.

Nothing is adapted: the project is Python already. It is *not applicable* when its source needs stack switching
(`time.sleep`), *later* when its configuration or source uses what dosim does not have yet.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from dosim.project import UnsupportedBinding, read_config
from dosim.testing.conformance import rules
from dosim.testing.conformance.results import FAILED, LATER, NOT_APPLICABLE, PASSED, CaseResult

#: Decoded JSON of `expected.json` and of the project's answer.
Json: TypeAlias = Any

#: Names in the source that need a capability dosim does not have yet, and the capability.
LATER_NAMES: dict[str, str] = {
    "WorkflowEntrypoint": "Workflows",
}

OFFSET = re.compile(r" at offset \d+")


def is_project(folder: Path) -> bool:
    """Whether this folder is a recorded project."""
    return (folder / "expected.json").is_file() and (folder / "entry.py").is_file()


def run_project(folder: Path, work: Path) -> list[CaseResult]:
    """Judge one project; `work` is an empty folder for its copy. Errors of dosim are failures."""
    recorded = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))]
    if any(map(switches_stacks, sources)):
        return [result(folder, recorded, NOT_APPLICABLE, (rules.STACK_SWITCHING.id,))]
    copy_project(folder, work)
    later = sorted({capability for source in sources for capability in capabilities(source)} | missing_bindings(work))
    if later:
        return [result(folder, recorded, LATER, tuple(later))]
    try:
        got = answer(work)
    except Exception as error:  # whatever stops the simulation is this project's failure, not the runner's
        return [result(folder, recorded, FAILED, (), "an answer", f"{type(error).__name__}: {error}", "the simulation")]
    return [judged(folder, recorded, got)]


def copy_project(folder: Path, work: Path) -> None:
    """Copy a project with its modules placed where `main` says."""
    shutil.copytree(folder, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expected.json", "__pycache__"))
    main = main_module(work)
    if (work / main).is_file():
        return
    target = (work / main).parent
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(work.glob("*.py")):
        path.rename(target / path.name)


def main_module(folder: Path) -> str:
    """The configuration's `main`, read before the module exists."""
    text = (folder / "wrangler.jsonc").read_text(encoding="utf-8")
    found = re.search(r'"main"\s*:\s*"([^"]+)"', text)
    return found.group(1) if found else "src/entry.py"


def missing_bindings(folder: Path) -> set[str]:
    """Configuration keys that dosim does not have yet."""
    try:
        read_config(folder)
    except UnsupportedBinding as error:
        return set(error.kinds)
    return set()


def switches_stacks(tree: ast.Module) -> bool:
    """Whether the source calls `time.sleep`, under whatever name it imported it."""
    modules, functions = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name for alias in node.names if alias.name == "time"}
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            functions |= {alias.asname or alias.name for alias in node.names if alias.name == "sleep"}
    return any(is_sleep(node.func, modules, functions) for node in ast.walk(tree) if isinstance(node, ast.Call))


def is_sleep(called: ast.expr, modules: set[str], functions: set[str]) -> bool:
    """Whether a called expression is `time.sleep`."""
    if isinstance(called, ast.Attribute):
        return called.attr == "sleep" and isinstance(called.value, ast.Name) and called.value.id in modules
    return isinstance(called, ast.Name) and called.id in functions


def capabilities(tree: ast.Module) -> Iterator[str]:
    """Capabilities of a later issue that the source names."""
    for node in ast.walk(tree):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in LATER_NAMES:
            yield LATER_NAMES[name]


def answer(folder: Path) -> Json:
    """What `Default.fetch` answers to `GET /`, parsed."""
    from dosim.simulation import Simulation

    sim = Simulation.from_project(folder, platform="workerd", network=None, seed=0)
    response = sim.run(sim.client().fetch("http://case.example/"))
    text = sim.run(response.text())
    if response.status != 200:
        raise RuntimeError(f"answered {response.status}: {text[-600:]}")
    return json.loads(text)


def judged(folder: Path, recorded: Json, got: Json) -> CaseResult:
    """Compare observation by observation; the first difference is the result's."""
    expected = recorded["observations"]
    for at, wanted in enumerate(expected):
        mine = got[at] if isinstance(got, list) and at < len(got) else None
        if not exactly(wanted, mine):
            label = wanted[0] if isinstance(wanted, list) and wanted else at
            return result(folder, recorded, FAILED, (), wanted, mine, f"observation {label!r}")
    if len(got) != len(expected):
        return result(folder, recorded, FAILED, (), len(expected), len(got), "number of observations")
    return result(folder, recorded, PASSED)


def exactly(expected: Json, got: Json) -> bool:
    """Equality of JSON values with their types; ` at offset N` of SQL errors is not compared."""
    if type(expected) is not type(got):
        return False
    if isinstance(expected, str):
        return OFFSET.sub("", expected) == OFFSET.sub("", got)
    if isinstance(expected, list):
        return len(expected) == len(got) and all(map(exactly, expected, got))
    if isinstance(expected, dict):
        return list(expected) == list(got) and all(exactly(expected[key], got[key]) for key in expected)
    return bool(expected == got)


def result(
    folder: Path,
    recorded: Json,
    status: str,
    reasons: tuple[str, ...] = (),
    expected: Json = None,
    got: Json = None,
    where: str = "",
) -> CaseResult:
    """A result row of this project; the format has no tiers, all of it is core."""
    return CaseResult(folder.name, recorded["area"], "core", "python", status, reasons, expected, got, where)
