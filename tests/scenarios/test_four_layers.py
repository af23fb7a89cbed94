"""`four-layers`: what each layer survives, how far it is, what a million reads and writes of it cost."""

from __future__ import annotations

import json

import pytest

from dosim.cli import main
from dosim.scenarios.four_layers import (
    AWAY,
    CRASH,
    DELETE_ALL,
    DEPLOYMENT,
    EVENTS,
    HOME,
    IDLENESS,
    LATE_CRASH,
    LAYERS,
    RESET,
    run,
)


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_what_survives(lesson) -> None:
    """Memory: deleteAll() alone. The object's storage: all but deleteAll() and the crash before confirmation."""
    after = lesson.facts["text_after"]
    kept = {layer: {event for event in EVENTS if after[event][layer] == "second"} for layer in LAYERS}

    assert {DELETE_ALL} == kept["memory"]
    assert {IDLENESS, DEPLOYMENT, RESET, LATE_CRASH} == kept["kv"] == kept["sqlite"]
    assert set(EVENTS) == kept["r2"] == kept["namespace"]
    assert {"first"} == {after[CRASH]["kv"], after[CRASH]["sqlite"]}  # the text before it was confirmed
    assert after[DELETE_ALL]["kv"] is None is after[DELETE_ALL]["sqlite"]


def test_nobody_is_told_of_a_lost_write_but_in_memory(lesson) -> None:
    """The output gate holds the answer of unconfirmed storage; of an attribute it knows nothing."""
    told = lesson.facts["told_before_the_crash"]
    assert {"memory": True, "kv": False, "sqlite": False, "r2": True, "namespace": True} == told


def test_a_reset_is_no_crash(lesson) -> None:
    """What was committed stays and is confirmed, and the answer that waits for it at the gate leaves."""
    after = lesson.facts["text_after"][RESET]
    assert set(LAYERS) - {"memory"} == {layer for layer in LAYERS if after[layer] == "second"}
    assert all(lesson.facts["told_before_the_reset"].values())


def test_an_object_s_layers_are_equally_near(lesson) -> None:
    """Within the network's jitter; R2 is one more service to ask, and another continent is another continent."""
    us = lesson.facts["latency_us"]
    for city in (HOME, AWAY):
        near = [us[layer][city] for layer in ("memory", "kv", "sqlite")]
        assert max(near) - min(near) < 2_000
        assert us["r2"][city] > max(near) + 15_000
    assert us["sqlite"][AWAY] > 10 * us["sqlite"][HOME]


def test_the_kv_namespace_is_near_and_old(lesson) -> None:
    """A read beside the reader needs no way round the world, and may be a minute old; R2 is never old."""
    us = lesson.facts["latency_us"]["namespace, direct"]
    stale = lesson.facts["kv_namespace_read_after_a_write"]
    assert us[AWAY] < 20_000
    assert {"namespace": "first", "r2": "second"} == stale["soon"]
    assert {"namespace": "second", "r2": "second"} == stale["61_s_later"]


def test_a_million_of_each(lesson) -> None:
    """List prices of rows, operations and keys; memory costs the requests alone."""
    usd = lesson.facts["usd_a_million"]
    writes = {layer: usd[layer]["write"] for layer in LAYERS}
    reads = {layer: usd[layer]["read"] for layer in LAYERS}
    assert writes == pytest.approx({"memory": 0, "kv": 1, "sqlite": 1, "r2": 4.5, "namespace": 5})
    assert reads == pytest.approx({"memory": 0, "kv": 0.001, "sqlite": 0.001, "r2": 0.36, "namespace": 0.5})
    assert usd["memory"]["read, all"] == pytest.approx(0.15 + 0.30)  # a request of the object, and of the Worker
    assert usd["r2"]["write, all"] > usd["r2"]["write"] + 0.45  # and the object's duration while it waits


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert json.loads(json.dumps(lesson.facts)) == lesson.facts


def test_the_command_prints_it(lesson, capsys) -> None:
    """`dosim run four-layers`."""
    assert not main(["run", "four-layers"])
    printed = capsys.readouterr().out
    assert "is the last text still there after" in printed
    assert "a GB kept for a month" in printed
