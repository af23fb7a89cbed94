"""Every open case of the three formats against dosim, and the pinned counts of rules and reasons."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from dosim.testing.conformance.report import rule_counts, shown
from dosim.testing.conformance.results import FAILED, NOT_APPLICABLE, CaseResult
from dosim.testing.conformance.runner import Item, find_cases, run_item

HERE = Path(__file__).parent
PINS = HERE / "pinned.json"
FORMATS = ("storage", "concurrency", "python")

#: The share of cases that may be not applicable, percent, by format.
NOT_APPLICABLE_AT_MOST = {"storage": 8, "concurrency": 12, "python": 2}

RESULTS: dict[Path, CaseResult] = {}


def cases() -> list[Item]:
    """The cases of all formats, in order."""
    return find_cases([HERE / form / "cases" for form in FORMATS])


def result_of(item: Item) -> CaseResult:
    """The result of one case, run once in this process."""
    if item.path not in RESULTS:
        RESULTS[item.path] = run_item(item)
    return RESULTS[item.path]


@pytest.mark.parametrize("item", cases(), ids=lambda item: f"{item.path.parent.parent.name}-{item.path.stem}")
def test_case(item: Item) -> None:
    """dosim answers as the real runtime did."""
    result = result_of(item)

    assert FAILED != result.status, f"{result.where}\nexpected: {shown(result.expected)}\ngot:      {shown(result.got)}"


@pytest.mark.parametrize("form", FORMATS)
def test_few_cases_do_not_apply(form: str) -> None:
    """The share of cases that cannot be said in Python stays under its limit."""
    results = [result for result in map(result_of, cases()) if result.format == form]
    skipped = [result.id for result in results if result.status == NOT_APPLICABLE]

    assert 100 * len(skipped) <= NOT_APPLICABLE_AT_MOST[form] * len(results), skipped


def test_counts_of_rules_and_reasons_are_pinned() -> None:
    """Statuses, rules and reasons are used exactly as often as `pinned.json` says; failures cannot be pinned."""
    results = [result_of(item) for item in cases()]
    assert [] == [result.id for result in results if result.status == FAILED]
    counts = {
        form: {
            "statuses": dict(sorted(Counter(result.status for result in results if result.format == form).items())),
            "rules and reasons": rule_counts(result for result in results if result.format == form),
            "later": dict(
                sorted(
                    Counter(
                        name
                        for result in results
                        if result.format == form and result.status == "later"
                        for name in result.rule_or_reason
                    ).items()
                )
            ),
        }
        for form in FORMATS
    }
    if os.environ.get("DOSIM_UPDATE_PINS"):
        PINS.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")

    assert json.loads(PINS.read_text(encoding="utf-8")) == counts
