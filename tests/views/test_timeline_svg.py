"""The timeline as light SVG: the figure's words and lanes, looks without colour, a pinned run, the page's colours."""

from __future__ import annotations

import re
import time
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dosim.trace import Trace
from dosim.views import Bar, Lane, Lanes, Mark, read_lanes, timeline, timeline_svg
from dosim.views.style import LOOKS, MARKS
from dosim.views.svg import words_of
from tests.views.test_timeline import run
from tests.views.told import Told

SVG = "{http://www.w3.org/2000/svg}"
LINE = run("serve", "Tokyo", "Lagos", "Sydney", concurrency="one-at-a-time").trace
TOGETHER = run("serve", "Tokyo", "Lagos").trace


def lane(*bars: Bar, kind: str = "request", marks: tuple[Mark, ...] = (), **more: Any) -> Lane:
    return Lane(kind, f"a {kind}", bars, marks=marks, **more)


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{SVG}text")]


def bars(svg: str) -> list[tuple[str, float, float]]:
    """What each bar says when it is pointed at, and from where to where it reaches."""
    drawn = [(rect, rect.find(f"{SVG}title")) for rect in ET.fromstring(svg).iter(f"{SVG}rect")]
    return [
        (title.text or "", x, x + float(rect.get("width") or 0))
        for rect, title in drawn
        if title is not None
        for x in [float(rect.get("x") or 0)]
    ]


@pytest.mark.parametrize("trace", [LINE, TOGETHER, Trace(), run("blocks", "Oslo", "Lima").trace])
def test_it_is_an_image_with_the_words_of_the_figure(trace: Trace) -> None:
    """
    Well-formed XML with role img and a title; its description is the alt text that the figure has.
    """
    svg = timeline_svg(trace, title="<Ten>")
    root = ET.fromstring(svg)

    assert (root.tag, root.get("role")) == (f"{SVG}svg", "img")
    assert root[0].text == "<Ten>"
    assert words_of(svg) == root[1].text == timeline(trace, title="<Ten>").alt  # type: ignore[attr-defined]
    assert words_of(timeline_svg(trace)) == timeline(trace).alt  # type: ignore[attr-defined]


def test_bars_say_what_they_say_in_the_figure() -> None:
    """
    The longest text that fits; in a narrower picture a shorter one; labels of all lanes beside them.
    """
    wide, narrow = texts(timeline_svg(LINE, width=900)), texts(timeline_svg(LINE, width=360))

    assert {"#1 from Tokyo", "#3 from Sydney", "Desk('a')"} <= set(wide) & set(narrow)
    assert "waits 4 s behind Tokyo, then 1 more" in wide
    assert "waits 4 s behind Tokyo, then 1 more" not in narrow and "waits 4 s" in narrow


def test_bars_lie_at_their_moments() -> None:
    """
    Three requests of 2 s, one after the other: in line for 0, 2 and 4 s, inside for 2 s.
    """
    found = {told: (start, end) for told, start, end in bars(timeline_svg(LINE)) if told.startswith("#")}
    (first, second), *_ = found.values()
    px_per_s = (second - first) / 2

    assert [round((end - start) / px_per_s, 1) for start, end in found.values()] == [2, 2, 2, 4, 2]
    assert "#3 from Sydney: waits in line: one request at a time for 4 s behind Tokyo, then 1 more" in found


def test_looks_are_told_apart_without_colour() -> None:
    """
    No two looks have height and hatch in common, each hatch is a pattern that the picture brings, and each is in the
    legend with its words.
    """
    looks = [look for look in LOOKS if look not in ("visit", "closed")]
    every = Lanes((lane(*(Bar(at * 1000, at * 1000 + 1000, look) for at, look in enumerate(looks))),), ())
    root = ET.fromstring(timeline_svg(every))
    hatches = {pattern.get("id"): pattern[1].get("d") for pattern in root.iter(f"{SVG}pattern")}
    drawn = [rect for rect in root.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    fills = [re.findall(r"url\(#([^)]*)\)", rect.get("fill") or "") for rect in drawn]

    assert (
        len(looks)
        == len(drawn)
        == len({(rect.get("height"), *map(hatches.get, fill)) for rect, fill in zip(drawn, fills, strict=True)})
    )
    assert set(hatches) == {name for fill in fills for name in fill}
    assert {LOOKS[look].words for look in looks} <= set(texts(timeline_svg(every)))


def test_patterns_of_two_pictures_do_not_meet() -> None:
    """
    Ids that name the hatches differ from picture to picture: on one page the first would serve for both.
    """
    ids = [set(re.findall(r'id="([^"]+)"', timeline_svg(LINE, dark=dark))) for dark in (True, False, None)]

    assert all(ids)
    assert not ids[0] & ids[1] and not ids[1] & ids[2]


def test_marks_stand_in_lane_and_legend() -> None:
    """
    Alarms and frames have shapes of their own, a failure a cross.
    """
    marks = tuple(Mark(at * 1000, look) for at, look in enumerate(MARKS, 1))
    drawn = Lanes(
        (lane(sent_us=0, answered_us=9000, failed=True),),
        (lane(Bar(0, 9000, "awaiting", "x"), kind="object", marks=marks),),
    )
    svg = timeline_svg(drawn)
    shapes = [path.get("d") for path in ET.fromstring(svg).iter(f"{SVG}path") if path.get("class") == "m"]

    assert len(shapes) == len(set(shapes)) == 5
    assert {*(look.words for look in MARKS.values()), "failed", "grey lane: who is inside an object"} <= set(texts(svg))
    assert "failed" not in texts(timeline_svg(LINE)) and "an alarm rings" not in texts(timeline_svg(LINE))


def test_pinned_run_is_a_dashed_line_below_each_request() -> None:
    """
    In the order of the requests, on an axis that holds both; a request that only the pinned run had gets a lane.
    """
    svg = timeline_svg(TOGETHER, ghost=LINE)
    ghosts = [path.get("d") or "" for path in ET.fromstring(svg).iter(f"{SVG}path") if path.get("class") == "c gh"][1:]
    ends = [float(re.findall(r"H([\d.]+)", path)[0]) for path in ghosts]
    starts = [float(re.findall(r"M([\d.]+)", path)[0]) for path in ghosts]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]

    assert [round(length / lengths[0], 1) for length in lengths] == [1, 2, 3]
    assert "pinned run" in texts(svg) and "#3 from Sydney" in texts(svg)
    assert words_of(svg).endswith(
        "The pinned run: #1 from Tokyo answered at 2 s, #2 from Lagos answered at 4 s, #3 from Sydney answered at 6 s."
    )
    assert "pinned run" not in timeline_svg(TOGETHER)
    assert "#1 from Tokyo" not in texts(timeline_svg(TOGETHER, requests=[2], ghost=LINE))
    assert "The pinned run: #2 from Lagos answered at 4 s." in words_of(
        timeline_svg(TOGETHER, requests=[2], ghost=LINE)
    )


def test_pinned_request_without_an_answer_has_no_end() -> None:
    """
    Its line goes to the edge, and the words say so.
    """
    told = Told()
    told.request("Oslo", 0, None)
    told.request("Lima", 0, 5000)

    assert "#1 from Oslo without an answer, #2 from Lima answered at 0.005 s" in words_of(
        timeline_svg(Trace(), ghost=told.trace)
    )


def test_only_the_stretch_asked_for_is_drawn() -> None:
    """
    Bars are cut at its ends, and texts stand in what is left of them.
    """
    svg = timeline_svg(LINE, start_us=1_000_000, end_us=3_000_000)
    drawn = bars(svg)
    clipped = [start for told, start, _ in drawn if told.startswith("#3 from Sydney: waits")]

    assert {told.split(":")[0] for told, _, _ in drawn} == {
        "#1 from Tokyo",
        "#2 from Lagos",
        "#3 from Sydney",
        "Desk('a')",
    }
    assert clipped == [min(start for _, start, _ in drawn)]
    assert "Sydney" not in texts(svg)  # inside from 4 s on
    assert "0 s" not in texts(svg) and "4 s" not in texts(svg)


def test_same_trace_gives_the_same_text() -> None:
    """
    From the trace and from its lanes.
    """
    again = run("serve", "Tokyo", "Lagos", "Sydney", concurrency="one-at-a-time").trace

    assert timeline_svg(LINE) == timeline_svg(again) == timeline_svg(read_lanes(LINE))


def test_a_crowd_is_drawn_in_few_bars() -> None:
    """
    10,000 visits of an object come to less than 300 KB, as those that hide one another are left out.
    """
    many = tuple(Bar(at * 10, at * 10 + 5, "awaiting", "Oslo") for at in range(10_000))
    crowd = Lanes((), (lane(*many, kind="object"),))
    begun = time.process_time()
    svg = timeline_svg(crowd)

    assert len(bars(svg)) < 2000
    assert len(svg) - len(words_of(svg)) < 300_000
    assert time.process_time() - begun < 2


def test_a_trace_with_retention_says_what_is_missing() -> None:
    """
    Below the heading and in the words.
    """
    sim = run("serve", "Tokyo", "Lagos", retention="last=12")
    note = f"Only the last 12 of {sim.trace.count} records are kept: what was before is missing."

    assert note in texts(timeline_svg(sim)) and note in words_of(timeline_svg(sim))


def test_colours_follow_the_page_unless_told() -> None:
    """
    As those of every light chart.
    """
    assert 'class="dosim-chart dosim-auto"' in timeline_svg(LINE)
    assert 'class="dosim-chart dosim-dark"' in timeline_svg(LINE, dark=True)
    assert 'class="dosim-chart dosim-light"' in timeline_svg(LINE, dark=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"width": 100}, ValueError, "width=100: give at least 360 pixels"),
        ({"width": "wide"}, TypeError, "width='wide' is no number of pixels"),
        ({"start_us": 5, "end_us": 5}, ValueError, "end_us=5 is not after start_us=5"),
        ({"start_us": 1.5}, TypeError, "start_us=1.5: give whole microseconds"),
        ({"requests": [99]}, ValueError, "requests: 99 is no request of this trace"),
        ({"requests": "1"}, TypeError, "requests='1' is no list"),
        ({"ghost": "earlier"}, TypeError, "'earlier' is neither a simulation nor a trace"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    """
    By the name of the argument, with the fix.
    """
    with pytest.raises(error, match=message):
        timeline_svg(LINE, **options)
    with pytest.raises(ValueError, match=r"these lanes were read already"):
        timeline_svg(read_lanes(LINE), requests=[1])
