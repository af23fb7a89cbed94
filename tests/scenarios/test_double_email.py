"""`double-email`: at least once is not exactly once; a key makes it so."""

from __future__ import annotations

import pytest

from dosim.scenarios.double_email import TROUBLES, run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_a_failing_handler_sends_again_with_every_retry(lesson) -> None:
    """One run and six retries."""
    assert {"runs": 7, "asked": 7, "sent": 7} == lesson.facts["careless: it raises after the send"]


@pytest.mark.parametrize("trouble", ["its success is not heard", "its machine crashes"])
def test_a_run_nobody_heard_of_is_repeated(lesson, trouble: str) -> None:
    """Twice run, twice sent."""
    assert {"runs": 2, "asked": 2, "sent": 2} == lesson.facts[f"careless: {trouble}"]


def test_with_a_key_each_reminder_goes_out_once(lesson) -> None:
    """However often the service is asked."""
    assert [1] * len(TROUBLES) == [lesson.facts[f"with a key: {trouble}"]["sent"] for trouble in TROUBLES]
    assert lesson.facts["with a key: it raises after the send"]["asked"] == 7


def test_an_alarm_set_before_a_throw_is_not_retried(lesson) -> None:
    """It was replaced: no e-mail within the day."""
    assert {"runs": 1, "asked": 0, "sent": 0} == lesson.facts["early"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
