"""
`dosim conformance PATH… [--json]`: the report, and its exit code.

The text report names each failure with its first difference, counts statuses by format and tier, rules, reasons and
missing capabilities, and ends with `N passed, N failed, N skipped`. Passed includes adapted; skipped is not
applicable and later. With `--json` it is one row per case.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from dosim.testing.conformance.results import FAILED, LATER, NOT_APPLICABLE, STATUSES, CaseResult
from dosim.testing.conformance.rules import all_rules
from dosim.testing.conformance.runner import NoCase, run_paths

#: Characters of an expected or received value that a failure shows.
SHOWN = 600


def main(paths: Sequence[str], as_json: bool = False) -> int:
    """Run the cases and print the report; 0 when nothing failed, 1 on a failure, 2 when a path holds no case."""
    try:
        results = run_paths(paths)
    except NoCase as error:
        print(error, file=sys.stderr)
        return 2
    print(json_report(results) if as_json else text_report(results))
    return 1 if any(result.status == FAILED for result in results) else 0


def json_report(results: Sequence[CaseResult]) -> str:
    """One JSON row per case, in the order run."""
    return json.dumps([result.to_json() for result in results], indent=1)


def text_report(results: Sequence[CaseResult]) -> str:
    """The whole report for people; its last line is the count."""
    parts = [failures(results), status_table(results), rule_table(results), skipped_table(results), totals(results)]
    return "\n\n".join(part for part in parts if part)


def failures(results: Sequence[CaseResult]) -> str:
    """Each failure: its case, where it parts, both sides."""
    blocks = []
    for result in results:
        if result.status == FAILED:
            head = f"FAILED {result.format} {result.id} ({result.area}, {result.tier}) at {result.where}"
            blocks.append(f"{head}\n  expected: {shown(result.expected)}\n  got:      {shown(result.got)}")
    return "\n".join(blocks)


def shown(value: object) -> str:
    """A value as one short line of JSON."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[:SHOWN] + " …"


def status_table(results: Sequence[CaseResult]) -> str:
    """Statuses by format; tiers `detail` and `extra` are reported apart from the core."""
    groups = Counter((result.format, result.tier, result.status) for result in results)
    lines = ["format       tier     " + "".join(f"{status:>16}" for status in STATUSES)]
    for form, tier in sorted({(form, tier) for form, tier, _ in groups}):
        lines.append(f"{form:<13}{tier:<9}" + "".join(f"{groups[form, tier, status]:>16}" for status in STATUSES))
    return "\n".join(lines)


def rule_counts(results: Iterable[CaseResult]) -> dict[str, int]:
    """How many cases used each rule or reason, in the order of the closed lists."""
    counts = Counter(name for result in results for name in result.rule_or_reason if result.status != LATER)
    known = [rule.id for rule in all_rules()]
    return {name: counts[name] for name in [*known, *sorted(set(counts) - set(known))] if counts[name]}


def rule_table(results: Sequence[CaseResult]) -> str:
    """The rules and reasons used, with their titles."""
    titles = {rule.id: rule.title for rule in all_rules()}
    lines = [f"{count:>5}  {name:<6} {titles.get(name, '')}" for name, count in rule_counts(results).items()]
    return "\n".join(["cases per rule (adapted) and reason (masked steps):", *lines]) if lines else ""


def skipped_table(results: Sequence[CaseResult]) -> str:
    """What was skipped: not applicable by reason, later by capability."""
    lines = []
    for status in (NOT_APPLICABLE, LATER):
        groups = Counter(", ".join(result.rule_or_reason) for result in results if result.status == status)
        lines += [f"{count:>5}  {status}: {why}" for why, count in sorted(groups.items())]
    return "\n".join(["skipped:", *lines]) if lines else ""


def totals(results: Sequence[CaseResult]) -> str:
    """The last line."""
    passed = sum(result.passes for result in results)
    failed = sum(result.status == FAILED for result in results)
    return f"{passed} passed, {failed} failed, {len(results) - passed - failed} skipped"
