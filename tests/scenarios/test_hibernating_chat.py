"""`hibernating-chat`: silence is free with sockets that may hibernate, and only with them."""

from __future__ import annotations

import json

import pytest

from dosim.cli import main
from dosim.scenarios.hibernating_chat import PEOPLE, run


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.fixture
def sleepy(lesson):
    return lesson.facts["rooms"]["acceptWebSocket"]


@pytest.fixture
def awake(lesson):
    return lesson.facts["rooms"]["accept()"]


def test_an_hour_of_silence(sleepy, awake) -> None:
    """3,600 seconds of 128 MB, or nothing at all: not one record."""
    assert ("hibernated", "active") == (sleepy["state"], awake["state"])
    assert (0, {}, 0) == (sleepy["silent_gb_s"], sleepy["duration_s_by_holder"], sleepy["silent_records"])
    assert pytest.approx(3600 * 0.128) == awake["silent_gb_s"]
    assert [pytest.approx(3600)] == list(awake["duration_s_by_holder"].values())
    assert all("socket" in holder for holder in awake["duration_s_by_holder"])


def test_pings_wake_nobody(sleepy, awake) -> None:
    """The platform answers all of them and charges none; code that answers is billed one request for twenty."""
    assert PEOPLE == sleepy["pongs"] == awake["pongs"]
    assert (0, PEOPLE / 20) == (sleepy["pings_billed_requests"], awake["pings_billed_requests"])
    assert "hibernated" == sleepy["state_after_pings"]


def test_what_survives(sleepy, awake) -> None:
    """Sockets, tags and attachments do, an attribute does not."""
    said = {"from": "guest0", "text": "hello", "members": PEOPLE, "count": 1}
    assert said == sleepy["before"] == sleepy["after"] == awake["before"]
    assert {**said, "count": 2} == awake["after"]
    assert (2, 1) == (sleepy["lives"], awake["lives"])
    assert PEOPLE == sleepy["open_sockets"] == awake["open_sockets"]


def test_the_month(sleepy, awake) -> None:
    """One room is within what the base fee includes, in either way; a hundred are not."""
    assert (5, 5) == (sleepy["month_of_one_usd"], awake["month_of_one_usd"])
    assert 5 == sleepy["month_of_many_usd"]
    # 720 hours of 100 rooms, less the 400,000 GB-s included, in whole millions as the documents' examples
    assert 33 * 12.50 + 5 == awake["month_of_many_usd"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert json.loads(json.dumps(lesson.facts)) == lesson.facts


def test_the_command_prints_it(capsys) -> None:
    """`dosim run hibernating-chat`."""
    assert 0 == main(["run", "hibernating-chat"])
    assert "what outlived hibernation" in capsys.readouterr().out
