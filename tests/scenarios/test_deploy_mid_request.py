"""`deploy-mid-request`: an error that does not say whether it happened, and a key that makes asking again safe."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.deploy_mid_request import MOMENTS, run

BEFORE, AFTER = MOMENTS


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_caller_is_told_of_the_deployment_and_not_of_the_order(lesson, moment: str) -> None:
    """The documented text, whether the order was written or not; the socket is gone."""
    fact = lesson.facts[f"immediate, {moment}: gives up"]
    assert "Durable Object reset because its code was updated." == fact["told"]
    assert "closed with 1006" == fact["socket"]


@pytest.mark.parametrize(
    ("does", "before", "after"), [("gives up", 0, 1), ("asks again", 1, 2), ("asks again, with a key", 1, 1)]
)
def test_only_a_key_neither_loses_nor_doubles(lesson, does: str, before: int, after: int) -> None:
    """Deployed at once: orders when the write had not happened yet, and when it had."""
    assert before == lesson.facts[f"immediate, {BEFORE}: {does}"]["orders"]
    assert after == lesson.facts[f"immediate, {AFTER}: {does}"]["orders"]
    assert "only who asks again, with a key, has one in both" in lesson.claim


@pytest.mark.parametrize(("strategy", "socket"), [("deferred, 30 s", "open"), ("deferred, 5 s", "closed with 1006")])
def test_deferred_the_order_ends_on_old_code(lesson, strategy: str, socket: str) -> None:
    """The socket stays if the object hibernates within the delay; one that is in memory is reset all the same."""
    deferred = [fact for fact in lesson.facts.values() if fact["strategy"] == strategy]
    assert [("ordered", 1, socket)] * 2 == [(fact["told"], fact["orders"], fact["socket"]) for fact in deferred]


def test_old_data_meets_new_code(lesson) -> None:
    """Every book has the new column, and lists both migrations once, the old order among them."""
    assert {("key, item", "key, item, amount", 2)} == {
        (fact["columns_before"], fact["columns"], fact["versions"]) for fact in lesson.facts.values()
    }
    (lamp,) = [row for row in lesson.worlds[0].sim.objects["book"].tables["orders"] if row["item"] == "a lamp"]
    assert 1 == lamp["amount"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "deploy-mid-request"])
    assert "Durable Object reset because its code was updated." in capsys.readouterr().out
