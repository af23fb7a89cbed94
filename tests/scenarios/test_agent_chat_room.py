"""`agent-chat-room`: the framework takes over lines, and adds rows; people read the same."""

from __future__ import annotations

import itertools
import json

import pytest

import dosim.agents
from dosim.cli import main
from dosim.scenarios.agent_chat_room import LINES, PEOPLE, TAKEN_OVER, code_lines, raw_functions, run

#: What both rooms are made of: the same functions in both sources.
OWN = {"set_up", "on_connect", "on_message", "on_close", "on_request", "count_people"}


@pytest.fixture(scope="module")
def lesson():
    return run()


@pytest.fixture
def agent(lesson):
    return lesson.facts["rooms"]["agent"]


@pytest.fixture
def raw(lesson):
    return lesson.facts["rooms"]["raw"]


def test_people_read_the_same(agent, raw) -> None:
    """Frame by frame, in the same order; the framework's own are an identity and the servers, and servers on waking."""
    assert raw["frames"] == agent["frames"]
    assert (0, 3 * len(PEOPLE)) == (raw["extra_frames"], agent["extra_frames"])
    assert [1000, "bye"] == agent["closed"] == raw["closed"]


def test_joining_and_leaving(agent) -> None:
    """Everybody else is told; the state, with who is there, is told to all, and first of all to whoever comes."""
    ann, cem = agent["frames"]["ann"], agent["frames"]["cem"]

    assert ["ben", "cem"] == [frame["name"] for frame in ann if frame["type"] == "joined"]
    assert ["cem"] == [frame["name"] for frame in ann if frame["type"] == "left"]
    assert [] == [frame for frame in cem if frame["type"] in ("joined", "left")]
    assert {"people": ["ann", "ben"], "messages": 0} == cem[0]["state"]
    assert {"people": ["ann", "ben"], "messages": LINES * len(PEOPLE) + 1} == ann[-1]["state"]


def test_state_and_names_outlive_the_hour(agent, raw) -> None:
    """Hibernated, in another life the next line is counted on, and its sender is known."""
    assert ("hibernated", 0) == (agent["state"], agent["silent_gb_s"]) == (raw["state"], raw["silent_gb_s"])
    after = [frame for frame in agent["frames"]["ben"] if frame["type"] == "message"][-1]
    assert {"type": "message", "name": "ann", "text": "still here?"} == after
    assert agent["lives"] == raw["lives"] > 1


def test_history_over_http(agent, raw) -> None:
    """All lines in their order, those before the hour too."""
    said = [{"name": name, "text": f"{name} {number}"} for number in range(1, LINES + 1) for name in PEOPLE]

    assert [*said, {"name": "ann", "text": "still here?"}] == agent["history"] == raw["history"]


def test_what_was_taken_over(lesson) -> None:
    """Each raw function is the room's own or has a member of `agents` in its place; no line is counted twice."""
    taken = lesson.facts["taken_over"]
    spans = [one["span"] for one in taken]

    assert OWN == set(raw_functions()) - set(TAKEN_OVER)
    assert set(TAKEN_OVER) == {one["raw"] for one in taken}
    for one in taken:
        name, _, attribute = one["member"].partition(".")
        assert hasattr(getattr(dosim.agents, name), attribute or "__call__")
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(spans))
    assert code_lines("raw") - code_lines("agent") > sum(one["lines"] for one in taken) / 2
    assert 3 * code_lines("agent") < code_lines("raw")


def test_the_bills(agent, raw) -> None:
    """A line is a row, the state one more, and in the agent one for its index: in a thousand rooms one sees it."""
    assert (3, 2) == (agent["rows_of_a_line"], raw["rows_of_a_line"])
    assert agent["requests"] == raw["requests"]
    assert agent["month_of_many_usd"] > raw["month_of_many_usd"] > 5


def test_the_latencies(agent, raw) -> None:
    """The same in both, to the microsecond; after the hour within half a millisecond, which is the network's."""
    assert raw["median_us"] == agent["median_us"]
    assert agent["median_us"]["ann"] < agent["median_us"]["ben"] < agent["median_us"]["cem"]
    assert [pytest.approx(raw["waking_us"][name], abs=500) for name in PEOPLE] == list(agent["waking_us"].values())


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert json.loads(json.dumps(lesson.facts)) == lesson.facts


def test_the_command_prints_it(capsys) -> None:
    """`dosim run agent-chat-room`."""
    assert 0 == main(["run", "agent-chat-room"])
    assert "what the framework took over, line by line" in capsys.readouterr().out
