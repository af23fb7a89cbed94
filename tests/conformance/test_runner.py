"""Finding cases, skipping projects, and the report's lines."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from dosim.testing.conformance.projects import capabilities, copy_project, missing_bindings, switches_stacks
from dosim.testing.conformance.report import json_report, main, text_report
from dosim.testing.conformance.results import ADAPTED, FAILED, LATER, NOT_APPLICABLE, PASSED, CaseResult
from dosim.testing.conformance.rules import all_rules
from dosim.testing.conformance.runner import NoCase, find_cases, merged

HERE = Path(__file__).parent


def row(status: str, *names: str, case: str = "c", form: str = "storage") -> CaseResult:
    """A result row."""
    return CaseResult(case, "kv", "core", form, status, names)


@pytest.mark.parametrize(("form", "count"), [("storage", 129), ("concurrency", 115), ("python", 75)])
def test_all_open_cases_are_found(form: str, count: int) -> None:
    """A folder is searched to its cases, whatever else lies in it."""
    assert count == len(find_cases([HERE / form]))


def test_a_case_named_twice_runs_once() -> None:
    """A file inside a folder that is given too is one case."""
    path = HERE / "storage" / "cases" / "kv-get-missing.json"

    assert 129 == len(find_cases([HERE / "storage", path]))
    assert 1 == len(find_cases([path, path]))


def test_a_path_without_a_case_is_an_error(tmp_path: Path) -> None:
    """A path that holds no case is named, with what would be one."""
    (tmp_path / "package.json").write_text("{}")

    with pytest.raises(NoCase, match="no recorded case"):
        find_cases([tmp_path])
    assert 2 == main([str(tmp_path)])


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ntime.sleep(1)", True),
        ("import time as t\nt.sleep(1)", True),
        ("from time import sleep as nap\nnap(1)", True),
        ("import asyncio\nasyncio.sleep(1)", False),
        ("import time\ntime.time()", False),
    ],
)
def test_stack_switching_is_found_in_the_source(source: str, found: bool) -> None:
    """Only a call of `time.sleep`, under any name, needs stack switching."""
    assert found == switches_stacks(ast.parse(source))


def test_capabilities_of_a_later_issue_are_named() -> None:
    """A project that runs a Workflow says so in its source."""
    source = "from workers import WorkflowEntrypoint\nclass Flow(WorkflowEntrypoint): ..."
    assert {"Workflows"} == set(capabilities(ast.parse(source)))


def test_missing_bindings_are_named(tmp_path: Path) -> None:
    """A binding that dosim does not have is named by its configuration key."""
    copy_project(HERE / "python" / "cases" / "bind_r2_bucket", tmp_path)
    assert set() == missing_bindings(tmp_path)

    settings = json.loads((tmp_path / "wrangler.jsonc").read_text())
    (tmp_path / "wrangler.jsonc").write_text(json.dumps({**settings, "ai": {"binding": "AI"}}))

    assert {"ai"} == missing_bindings(tmp_path)


def test_a_project_is_placed_where_main_says(tmp_path: Path) -> None:
    """`entry.py` and the modules beside it move to the folder of `main`; the recorded answer stays out."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("entry.py", "helper.py"):
        (project / name).write_text("")
    (project / "expected.json").write_text("{}")
    (project / "wrangler.jsonc").write_text('{"main": "src/entry.py"}')

    copy_project(project, tmp_path / "work")

    assert ["src", "src/entry.py", "src/helper.py", "wrangler.jsonc"] == sorted(
        str(path.relative_to(tmp_path / "work")) for path in (tmp_path / "work").rglob("*")
    )


def test_the_report_ends_with_the_count() -> None:
    """Passed includes adapted; skipped is not applicable and later, broken down above."""
    rows = [row(PASSED), row(ADAPTED, "S1"), row(FAILED), row(NOT_APPLICABLE, "NS1"), row(LATER, "WebSockets")]

    lines = text_report(rows).splitlines()

    assert "2 passed, 1 failed, 2 skipped" == lines[-1]
    assert "    1  not applicable: NS1" in lines
    assert "    1  later: WebSockets" in lines


def test_the_json_report_has_one_row_per_case() -> None:
    """Each row has the six keys that the command promises."""
    (only,) = json.loads(json_report([row(ADAPTED, "S1")]))

    assert {
        "id": "c",
        "area": "kv",
        "status": "adapted",
        "rule_or_reason": ["S1"],
        "expected": None,
        "got": None,
    } == only


def test_the_worst_version_decides() -> None:
    """A case judged at two dates fails when one of them fails, and keeps the case's id."""
    result = merged([row(PASSED), row(FAILED, case="c@2026-11-01")])

    assert ("c", FAILED) == (result.id, result.status)
    assert result.where.startswith("c@2026-11-01")


def test_ids_of_rules_are_unique() -> None:
    """No two rules or reasons share an id."""
    ids = [rule.id for rule in all_rules()]

    assert len(ids) == len(set(ids))
