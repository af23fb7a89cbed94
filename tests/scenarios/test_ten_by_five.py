"""`ten-by-five`: the exact numbers of every variant, one digest in any process, the picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dosim.scenarios import BadArgument
from dosim.scenarios.ten_by_five import VARIANTS, Result, TenByFive, run

SECOND_US = 1_000_000
LADDER = [5 * i * SECOND_US for i in range(1, 11)]
AT_ONCE = [5 * SECOND_US] * 10
#: variant -> when each request leaves the object, counted from the common arrival.
ANSWERED = {
    "one-at-a-time": LADDER,
    "input-gates": AT_ONCE,
    "block-concurrency": LADDER,
    "cpu": LADDER,
    "ten-objects": AT_ONCE,
}
#: Prints the JSON of the whole scenario; run in fresh processes.
SCRIPT = "import json; from dosim.scenarios.ten_by_five import run; print(json.dumps(run(seed=7).to_json()))"


@pytest.fixture(scope="module")
def whole() -> TenByFive:
    return run()


def test_every_variant_is_here() -> None:
    """
    The article's belief, the runtime's rule, blockConcurrencyWhile, CPU work, ten objects.
    """
    assert list(ANSWERED) == [variant.name for variant in VARIANTS]


@pytest.mark.parametrize("variant", ANSWERED)
def test_answers_leave_the_object_exactly_when_they_should(whole: TenByFive, variant: str) -> None:
    """
    Waited and worked, to the microsecond: 5, 10, …, 50 s where one request shuts out the others, else 5 s for all.
    """
    rows = whole[variant].rows

    assert [row.waited_us + row.worked_us for row in rows] == ANSWERED[variant]
    assert [row.worked_us for row in rows] == AT_ONCE


@pytest.mark.parametrize("variant", ANSWERED)
def test_ten_calls_arrive_in_the_same_microsecond(whole: TenByFive, variant: str) -> None:
    """
    By the trace, every call of the shown run reaches its object at one instant, from ten different cities.
    """
    result = whole[variant]
    arrivals = [record.t_us for record in result.trace.of_kind("arrive") if record.t_us > 6 * SECOND_US]

    assert arrivals == [result.meet_us] * 10
    assert len({row.client for row in result.rows}) == 10


@pytest.mark.parametrize("variant", ANSWERED)
def test_columns_sum_to_the_total(whole: TenByFive, variant: str) -> None:
    """
    Network there, waited, worked and network back are the whole latency of every row.
    """
    result = whole[variant]
    latency_us = {
        record.request: record.t_us - sent.t_us
        for record in result.trace.of_kind("response")
        for sent in result.trace.of_kind("send")
        if sent.request == record.request
    }

    for row in result.rows:
        assert row.network_there_us + row.waited_us + row.worked_us + row.network_back_us == row.total_us
        assert row.total_us == latency_us[row.request]


@pytest.mark.parametrize(
    ("variant", "why"),
    [
        ("one-at-a-time", "in line behind Sydney, then 8 more"),
        ("input-gates", "nobody held it up"),
        ("block-concurrency", "Sydney's blockConcurrencyWhile, then 8 more"),
        ("cpu", "Sydney's CPU work, then 8 more"),
        ("ten-objects", "nobody held it up"),
    ],
)
def test_why_names_whoever_held_the_object(whole: TenByFive, variant: str, why: str) -> None:
    """
    The last row says who was inside on arrival, what kept others out, and how many came between.
    """
    assert whole[variant].rows[-1].why == why


def test_variants_have_the_same_network(whole: TenByFive) -> None:
    """
    The one-object variants share every network time: only the rule and the code differ.
    """
    ways = {
        tuple((row.client, row.network_there_us, row.network_back_us) for row in result.rows)
        for result in whole.results
        if not result.variant.own_object
    }

    assert len(ways) == 1


def test_ten_objects_live_near_their_clients(whole: TenByFive) -> None:
    """
    An object of one's own is placed near one's own first request: the way to it is shorter, or as short.
    """
    near = {row.client: row.network_there_us for row in whole["ten-objects"].rows}
    far = {row.client: row.network_there_us for row in whole["cpu"].rows}

    assert all(near[client] <= far[client] for client in far)
    assert sum(near.values()) < sum(far.values()) / 2


def test_another_seed_gives_another_network_and_the_same_waiting(whole: TenByFive) -> None:
    """
    Jitter follows the seed: other network times and another digest; what waited and worked stays exact.
    """
    other = run(variant="one-at-a-time", seed=1)["one-at-a-time"]
    mine = whole["one-at-a-time"]

    assert other.digest != mine.digest
    assert {r.network_there_us for r in other.rows}.isdisjoint({r.network_there_us for r in mine.rows})
    assert [row.waited_us for row in other.rows] == [row.waited_us for row in mine.rows]


def test_two_processes_with_other_hash_seeds_give_the_same_json() -> None:
    """
    Rows and trace digests are equal in any process, whatever strings hash to.
    """
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2026")
    ]

    assert outputs[0] == outputs[1]
    assert len({variant["trace_digest"] for variant in json.loads(outputs[0])["variants"]}) == 5


def test_printed_tables_are_the_golden_ones(whole: TenByFive) -> None:
    """
    What `dosim run ten-by-five` prints into a pipe, to the letter.
    """
    golden = Path(__file__).with_name("ten_by_five.out").read_text("utf-8")

    assert f"{whole}\n" == golden


def test_more_requests_and_other_seconds() -> None:
    """
    40 requests of half a second: more cities, some twice, and the ladder goes on.
    """
    result = run(variant="one-at-a-time", requests=40, seconds=0.5)["one-at-a-time"]

    assert [row.waited_us for row in result.rows] == [500_000 * i for i in range(40)]
    assert result.claim.startswith("If an object serves one request at a time, 40 requests of 0.5 s that arrive")
    assert "0.5, 1, …, 20 s" in result.claim


def test_explain_tells_the_last_client_s_wait(whole: TenByFive) -> None:
    """
    `result.explain(client)` is the explanation of that row.
    """
    told = str(whole["one-at-a-time"].explain("London"))

    assert "It waited 45 s in line at AwaitingDesk('desk-1')" in told
    assert told.endswith("45 s waiting in line, 5 s awaiting.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"requests": -1}, "requests=-1 is out of range: give how many clients send one, from 1 to 500."),
        ({"requests": 0}, "requests=0 is out of range"),
        ({"seconds": 30}, "seconds=30 is out of range"),
        ({"seconds": -5}, "seconds=-5 is out of range"),
        ({"variant": "ten-object"}, "variant='ten-object' is not known: did you mean ten-objects?"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], message: str) -> None:
    """
    Each refusal names the argument and the fix.
    """
    with pytest.raises(BadArgument) as refused:
        run(**options)

    assert str(refused.value).startswith(message)


def test_unknown_client_is_refused_with_the_clients(whole: TenByFive) -> None:
    """
    Explaining a client that is not in the run lists those that are.
    """
    with pytest.raises(ValueError, match="client='Oslo' is not in this run: use one of Sydney, Tokyo"):
        whole["cpu"].explain("Oslo")


def test_picture_has_a_lane_for_each_request_and_one_for_the_object(whole: TenByFive) -> None:
    """
    Ten request lanes in the order of service and the object's; time 0 is the common arrival, 50 s the last answer.
    """
    figure: Any = whole["block-concurrency"].figure()
    axes = figure.axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]

    assert labels == [f"from {row.client}" for row in whole["block-concurrency"].rows] + [
        "BlockingDesk('desk-1') in LHR"
    ]
    assert [c.get_label() for c in axes.containers].count("from London: gate") == 1
    assert axes.get_xlim()[0] < 0 and 50 < axes.get_xlim()[1] < 51.5


def test_picture_of_all_variants_has_a_panel_for_each(whole: TenByFive) -> None:
    """
    Five panels on one scale, each under its title and the sentence that it proves.
    """
    figure: Any = whole.figure()
    words = " ".join(text.get_text() for text in figure.texts)

    assert len(figure.axes) == 5
    assert all(variant.title in words for variant in VARIANTS)
    assert "the last waits 45 s" in words


def test_reprs_and_html_of_what_a_learner_holds(whole: TenByFive) -> None:
    """
    The scenario and each variant have a short repr and an HTML table.
    """
    result: Result = whole["one-at-a-time"]

    assert repr(result) == "<one-at-a-time: 10 requests, the last waited 45 s>"
    assert repr(whole).startswith("<ten-by-five: 10 requests of 5 s, seed=0: one-at-a-time, input-gates")
    assert result._repr_html_().count("<tr>") == 11
    assert whole._repr_html_().count("<table>") == 5


@pytest.mark.parametrize("variant", ["one-at-a-time", "block-concurrency", "cpu"])
def test_picture_labels_all_waits_alike(whole: TenByFive, variant: str) -> None:
    """
    The shortest wait is labelled as the longest is, with its verb; where there is room it says behind whom.
    """
    figure: Any = whole[variant].figure()
    written = [text.get_text() for text in figure.axes[0].texts]

    waits = [text for text in written if text.startswith("waits")]
    assert [text.partition(" behind ")[0] for text in waits] == [f"waits {5 * i} s" for i in range(1, 10)]
    assert waits[-1] == "waits 45 s behind Sydney, then 8 more"
    assert "5 s" not in written
