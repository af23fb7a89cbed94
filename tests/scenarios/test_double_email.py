"""`double-email`: at least once is not exactly once; a mark in storage trades doubles for losses; a key has neither."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.double_email import ALARM_MS, CRASHES, RAISES, REFUSED, TROUBLES, UNHEARD, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def sent(lesson, title: str) -> list[int]:
    return [lesson.facts[f"{title}: {trouble}"]["sent"] for trouble in TROUBLES]


def test_a_failing_handler_sends_again_with_every_retry(lesson) -> None:
    """One run and six retries."""
    assert {"runs": 7, "asked": 7, "sent": 7} == lesson.facts[f"careless: {RAISES}"]


@pytest.mark.parametrize("trouble", [UNHEARD, CRASHES])
def test_a_run_nobody_heard_of_is_repeated(lesson, trouble: str) -> None:
    """Twice run, twice sent."""
    assert {"runs": 2, "asked": 2, "sent": 2} == lesson.facts[f"careless: {trouble}"]


def test_a_refusal_alone_is_what_retries_are_for(lesson) -> None:
    """Asked twice, sent once."""
    assert {"runs": 2, "asked": 2, "sent": 1} == lesson.facts[f"careless: {REFUSED}"]


def test_a_mark_afterwards_mends_what_comes_after_it(lesson) -> None:
    """But not a crash between the e-mail and the mark."""
    assert [1, 1, 1, 2, 1] == sent(lesson, "marked after")


def test_a_mark_before_never_doubles_and_loses_a_refused_one(lesson) -> None:
    """At most once."""
    assert [1, 1, 1, 1, 0] == sent(lesson, "marked first")


def test_with_a_key_each_reminder_goes_out_once(lesson) -> None:
    """However often the service is asked."""
    assert [1] * len(TROUBLES) == sent(lesson, "with a key")
    assert 7 == lesson.facts[f"with a key: {RAISES}"]["asked"]
    assert lesson.claim.endswith("Exactly once in all of them: the one with a key.")


def test_an_alarm_set_before_a_throw_is_not_retried(lesson) -> None:
    """It was replaced by next month's: no e-mail within the day."""
    assert {"runs": 1, "asked": 1, "sent": 0} == lesson.facts[f"set again too early: {REFUSED}"]
    due_us = lesson.worlds[-1].sim.objects["ann"].alarm_us
    assert 30 * 86_400_000_000 == pytest.approx(due_us - ALARM_MS * 1_000, abs=1e6)


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert 0 == main(["run", "double-email"])
    assert "e-mails, if on its first run" in capsys.readouterr().out
