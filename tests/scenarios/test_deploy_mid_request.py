"""`deploy-mid-request`: an error that does not say whether it happened, and a key that makes asking again safe."""

from __future__ import annotations

import pytest

from dosim.scenarios.deploy_mid_request import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_the_caller_is_told_of_the_deployment_and_not_of_the_order(lesson) -> None:
    """The documented text; the order is there."""
    fact = lesson.facts["immediate, gives up"]
    assert "Durable Object reset because its code was updated." == fact["told"]
    assert (1, "closed with 1006") == (fact["orders"], fact["socket"])


def test_asking_again_doubles_unless_there_is_a_key(lesson) -> None:
    """Two orders, or one."""
    assert 2 == lesson.facts["immediate, asks again"]["orders"]
    assert 1 == lesson.facts["immediate, asks again, with a key"]["orders"]


def test_deferred_nobody_notices(lesson) -> None:
    """The order ends on old code; the socket stays; the next one meets the new."""
    deferred = [fact for name, fact in lesson.facts.items() if name.startswith("deferred")]
    assert [("ordered", 1, "open")] * 3 == [(fact["told"], fact["orders"], fact["socket"]) for fact in deferred]


def test_old_data_meets_new_code(lesson) -> None:
    """Every book has the new column."""
    assert {"key, item, amount"} == {fact["columns"] for fact in lesson.facts.values()}
    assert run().to_json() == lesson.to_json()
