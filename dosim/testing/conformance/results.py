"""
The outcome of one conformance case, and the words a status may take.

A case is *passed* when every judged step gave what the real runtime gave, *adapted* when it did so under at least
one numbered rule of `rules`, *failed* when a judged step differs, *not applicable* when nothing of it can be said
in Python Workers, *later* when it needs a capability that dosim does not have yet (the capability is named).
"""

from __future__ import annotations

from dataclasses import dataclass, field

PASSED = "passed"
ADAPTED = "adapted"
FAILED = "failed"
NOT_APPLICABLE = "not applicable"
LATER = "later"

#: Every status, in the order reports print them.
STATUSES: tuple[str, ...] = (PASSED, ADAPTED, FAILED, NOT_APPLICABLE, LATER)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """
    One judged case (or one judged runtime version of it).

    `rule_or_reason` holds the ids of the rules applied and of the reasons for which steps were masked, sorted, or
    the names of the capabilities missing for *later*. `expected` and `got` are JSON-ready; for *failed* they are the
    first difference, preceded by its path in `where`.
    """

    id: str
    area: str
    tier: str
    format: str
    status: str
    rule_or_reason: tuple[str, ...] = ()
    expected: object = None
    got: object = None
    where: str = ""
    masked_steps: int = field(default=0)

    @property
    def passes(self) -> bool:
        """True for passed and adapted."""
        return self.status in (PASSED, ADAPTED)

    def to_json(self) -> dict[str, object]:
        """The row of `dosim conformance --json`."""
        return {
            "id": self.id,
            "area": self.area,
            "status": self.status,
            "rule_or_reason": list(self.rule_or_reason),
            "expected": self.expected,
            "got": self.got,
        }
