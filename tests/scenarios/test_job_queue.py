"""`job-queue`: the queue loses nothing and keeps its order; what is cut off runs twice, which a key makes harmless."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.job_queue import (
    CRASHES,
    EACH,
    EVICTED,
    HOPELESS,
    INVOICES,
    NOTHING,
    SHAKY,
    THIRD,
    TROUBLES,
    UNDER_WAY,
    WAYS,
    run,
)

LISTED, QUEUED, KEYED = WAYS.values()
PAID = len(INVOICES) - 1


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.mark.parametrize("way", WAYS.values())
def test_refusals_alone_lose_nothing(lesson, way: str) -> None:
    """Three attempts: enough for the one that is refused twice; the hopeless one is dropped, and on_error told once."""
    fact = lesson.facts[f"{way}: {NOTHING}"]

    assert {SHAKY: 3, HOPELESS: 3} == {name: times for name, times in fact["asked"].items() if times > 1}
    assert (PAID, [HOPELESS], [], []) == (fact["charged"], fact["dropped"], fact["lost"], fact["waiting"])


@pytest.mark.parametrize("way", [QUEUED, KEYED])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_queue_loses_nothing_and_keeps_its_order(lesson, way: str, trouble: str) -> None:
    """Whatever comes: all are charged but the hopeless one, which is dropped."""
    fact = lesson.facts[f"{way}: {trouble}"]

    assert list(INVOICES) == fact["order"]
    assert (PAID, [HOPELESS], [], []) == (fact["charged"], fact["dropped"], fact["lost"], fact["waiting"])


def test_a_list_in_memory_loses_all_that_is_not_done(lesson) -> None:
    """And nobody is told."""
    at = INVOICES.index

    assert list(INVOICES[at(UNDER_WAY) + 1 :]) == lesson.facts[f"{LISTED}: {EVICTED}"]["lost"]
    assert list(INVOICES[at(UNDER_WAY) + 1 :]) == lesson.facts[f"{LISTED}: {CRASHES}"]["lost"]
    assert list(INVOICES[at(HOPELESS) :]) == lesson.facts[f"{LISTED}: {THIRD}"]["lost"]


@pytest.mark.parametrize("trouble", [EVICTED, CRASHES])
def test_what_was_under_way_runs_twice_and_a_key_makes_it_one(lesson, trouble: str) -> None:
    """The deadman's alarm, 30 s after the handler began, brings it back."""
    queued, keyed = (lesson.facts[f"{way}: {trouble}"] for way in (QUEUED, KEYED))

    assert 2 == queued["asked"][UNDER_WAY] == keyed["asked"][UNDER_WAY]
    assert ([UNDER_WAY], []) == (queued["charged_twice"], keyed["charged_twice"])
    assert 20e6 < queued["resumed_after_us"] < 30e6


def test_attempts_do_not_survive_a_crash(lesson) -> None:
    """Three in the first life, three in the second; one in each life, and it stays at the head for ever."""
    third, each = (lesson.facts[f"{QUEUED}: {trouble}"] for trouble in (THIRD, EACH))

    assert 6 == third["asked"][HOPELESS]
    assert each["asked"][HOPELESS] == pytest.approx(600 / 30, abs=1)
    assert ([], list(INVOICES[INVOICES.index(HOPELESS) :])) == (each["dropped"], each["waiting"])


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "job-queue"])
    assert "the queue, with a key: its machine crashes" in capsys.readouterr().out
