"""The six lessons: they ask before they show, keep a pinned run, and tell the truth. Driven as by hand."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import ipywidgets
import pytest

from dosim import notebook
from dosim.notebook.explorers import lesson as lessons
from dosim.notebook.explorers.lesson import Lesson, Panel, Shown, Still, open_lesson

#: Lesson -> a prediction that is right for the knobs at first.
RIGHT = {
    "ten_by_five": "5 s",
    "saturation": "15",
    "placement": "250",
    "hibernation_and_the_bill": "$5",
    "alarm_retries": "17",
    "lost_update": "1",
}


def opened(name: str) -> Panel:
    panel: Panel = getattr(notebook, name)()
    return panel


def predict(panel: Panel, guess: str) -> None:
    panel.guess.value = guess
    panel.reveal.click()


def drawn(panel: Panel) -> bool:
    """Whether the panel shows a run: as a picture, or step by step as a table."""
    return re.search("<svg|<table", panel.picture.value) is not None


def all_widgets(widget: Any) -> list[Any]:
    return [widget, *(found for child in getattr(widget, "children", ()) for found in all_widgets(child))]


def said(panel: Panel) -> str:
    """The sentence below the picture, without its markup."""
    return re.sub("<[^>]*>", "", panel.status.value)


@pytest.mark.parametrize("name", RIGHT)
def test_it_asks_before_it_shows(name: str) -> None:
    """Nothing is shown before a prediction; then the run, the comparison in words, and the button asks anew."""
    panel = opened(name)

    assert not drawn(panel)
    panel.reveal.click()
    assert said(panel).startswith("Predict first") and panel.shown is None
    predict(panel, RIGHT[name])
    assert drawn(panel)
    assert re.match(r"You predicted [^:]+: right\. \w", said(panel)), said(panel)
    assert 'role="status"' in panel.status.value
    panel.reveal.click()
    assert "Show" == panel.reveal.description and not panel.guess.disabled
    assert not drawn(panel)


@pytest.mark.parametrize("name", RIGHT)
def test_every_knob_changes_the_run_in_place(name: str) -> None:
    """Each knob at its ends reruns and redraws the same widgets; there is no Output, and the axes stay."""
    panel = opened(name)
    before = all_widgets(panel.widget)
    predict(panel, RIGHT[name])
    axes = ticks(panel)
    for knob in panel.controls.values():
        ends = [knob.options[-1]] if hasattr(knob, "options") else [knob.max, knob.min]
        for value in [end for end in ends if end != knob.value]:
            generation, question = panel.generation, panel.question.value
            knob.value = value

            assert generation + 1 == panel.generation, knob.description
            assert (knob.description != "luck") == (question != panel.question.value)
            assert "Error" not in said(panel)
            assert axes == ticks(panel)

    assert before == all_widgets(panel.widget)
    assert not [widget for widget in before if isinstance(widget, ipywidgets.Output)]


def ticks(panel: Panel) -> list[tuple[str | None, str | None]]:
    """The words of the x axis with their places, of a picture that has one."""
    if "<svg" not in panel.picture.value:
        return []
    svg = ET.fromstring(panel.picture.value)
    texts = svg.iter("{http://www.w3.org/2000/svg}text")
    return [(text.get("x"), text.text) for text in texts if text.get("text-anchor") == "middle"]


@pytest.mark.parametrize("name", RIGHT)
def test_a_pinned_run_stays_as_a_ghost(name: str) -> None:
    """Pinned, a run stays in the picture and in the sentence while knobs move, until it is unpinned."""
    panel = opened(name)
    predict(panel, RIGHT[name])
    alone = panel.picture.value
    panel.pin.value = True
    first = next(iter(panel.controls.values()))
    moved = first.options[-1] if hasattr(first, "options") else first.max
    start, first.value = first.value, moved

    assert re.search("pinned", panel.picture.value, re.IGNORECASE)
    assert "Pinned: " in said(panel) and "Unpin" == panel.pin.description
    first.value = start
    panel.pin.value = False
    assert alone == panel.picture.value


@pytest.mark.parametrize("name", RIGHT)
def test_without_widgets_the_first_run_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A front end without widgets gets HTML behind a fold, a terminal gets text; without ipywidgets that is all."""
    bundle = opened(name)._repr_mimebundle_()
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    still = getattr(notebook, name)()

    assert isinstance(still, Still)
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == still._repr_html_() and "<summary>Predict, then open</summary>" in bundle["text/html"]
    assert bundle["text/plain"] == repr(still)
    assert still.shown.said in repr(still) and still.lesson.title in repr(still)


FACTS: list[tuple[str, dict[str, object], float | str]] = [
    ("ten_by_five", {"handler": "computes"}, 50),
    ("ten_by_five", {"handler": "awaits in blockConcurrencyWhile"}, 50),
    ("ten_by_five", {"handler": "awaits, and one is served at a time (the belief)"}, 50),
    ("ten_by_five", {"handler": "computes, each in its own object"}, 5),
    ("hibernation_and_the_bill", {"accepted_by": "accept()"}, 417.5),
    ("alarm_retries", {"failures": 7}, 0),
    ("alarm_retries", {"failures": 8, "on_error": "catches, and sets a new alarm in 5 s"}, 40),
    ("lost_update", {"between": "nothing: storage only", "second_after_ms": 0}, "2"),
    ("lost_update", {"between": "a fetch that takes 10 ms"}, "1"),
    ("lost_update", {"between": "a timer, inside blockConcurrencyWhile"}, "2"),
    ("lost_update", {"between": "a timer, inside storage.transaction"}, "2"),
    ("lost_update", {"second_after_ms": 11}, "2"),
]


@pytest.mark.parametrize(("name", "knobs", "answer"), FACTS, ids=lambda value: str(value)[:60])
def test_what_they_teach(name: str, knobs: dict[str, object], answer: float | str) -> None:
    """The runs come to what the lessons are about."""
    panel = opened(name)
    predict(panel, RIGHT[name])
    for knob, value in knobs.items():
        panel.controls[knob].value = value

    assert panel.shown is not None
    assert answer == panel.shown.answer


def test_the_knee_follows_theory() -> None:
    """Long runs lie at M/D/1's mean within a tenth, at half load; beyond 100 % there is no steady state."""
    panel = opened("saturation")
    predict(panel, "15")
    panel.controls["requests"].value = 5000

    assert panel.shown is not None
    assert 15 == pytest.approx(panel.shown.answer, rel=0.1)
    panel.controls["load_percent"].value = 110
    assert "no steady state" in said(panel)
    assert panel.shown.answer > 1000


def test_the_first_touch_decides() -> None:
    """Who is near the first touch waits least; a hint moves the object away from it."""
    panel = opened("placement")
    predict(panel, "250")
    panel.controls["reader"].value = "Tokyo"
    near = panel.shown
    panel.controls["hint"].value = "weur"

    assert near is not None and panel.shown is not None
    assert isinstance(near.answer, float) and isinstance(panel.shown.answer, float)
    assert near.answer < 20
    assert panel.shown.answer > 200


def test_steps_are_walked_through() -> None:
    """The lost update is shown step by step: what comes later is blank, what is now is marked."""
    panel = opened("lost_update")
    predict(panel, "2")

    assert said(panel).startswith("You predicted 2: it is 1.")
    assert 0 == panel.step.value and "reads 0" not in panel.picture.value
    panel.step.value = 1
    assert 1 == panel.picture.value.count("reads 0")
    panel.step.value = panel.step.max
    assert 2 == panel.picture.value.count("reads 0") and 2 == panel.picture.value.count("writes 0 + 1 = 1")
    assert 6 == panel.step.max + 1 and 1 == panel.picture.value.count("font-weight:bold")


# -- the panel itself


def lesson(run: Callable[..., Shown], **more: Any) -> Lesson:
    return Lesson(
        "T", "How many of {n}?", "s", {"n": (1, 9, 3)}, run, lambda s, g, _: f"<svg>{s.data}{g}</svg>", **more
    )


def test_a_slow_run_says_that_it_runs() -> None:
    """A slow lesson says "running…" while it runs, and its sliders speak when they are let go; a quick one does not."""
    seen: list[str] = []

    def run(n: int) -> Shown:
        seen.append(said(panel))
        return Shown(float(n), "done.", n)

    panel = open_lesson(lesson(run, slow=True))
    predict(panel, "3")
    slow = panel.controls["n"].continuous_update
    panel = open_lesson(lesson(run))
    predict(panel, "4 s")

    assert ["running…", ""] == seen
    assert not slow and panel.controls["n"].continuous_update
    assert "You predicted 4 s: it is 3 s. done." == said(panel)


def test_only_the_newest_run_is_shown() -> None:
    """A run during which another one began is dropped when it ends: by then it is old."""

    def run(n: int) -> Shown:
        if n == 5:
            panel.controls["n"].value = 6
        return Shown(float(n), f"{n}.", n)

    panel = open_lesson(lesson(run))
    predict(panel, "3")
    panel.controls["n"].value = 5

    assert 6 == panel.shown.data
    assert "6." == said(panel) and "<svg>6None</svg>" == panel.picture.value
    assert 3 == panel.generation


def test_a_failing_run_is_told_and_the_picture_stays() -> None:
    """The error takes the sentence's place, escaped; the next run takes it away."""

    def run(n: int) -> Shown:
        if n == 5:
            raise ValueError("<no>")
        return Shown(float(n), "fine.", n)

    panel = open_lesson(lesson(run))
    predict(panel, "3")
    before = panel.picture.value
    panel.controls["n"].value = 5

    assert before == panel.picture.value
    assert "ValueError: &lt;no&gt;" in panel.status.value
    panel.controls["n"].value = 6
    assert "fine." == said(panel)


@pytest.mark.parametrize("guess", ["", "  ", "much", "5 parsecs"])
def test_what_is_no_number_is_no_prediction(guess: str) -> None:
    """The panel says what to write, with the unit."""
    panel = open_lesson(lesson(lambda n: Shown(float(n), "", n)))
    predict(panel, guess)

    assert panel.shown is None
    assert "write a number, in s" in said(panel)


def test_the_lesson_module_needs_no_widgets_to_load() -> None:
    """ipywidgets loads when a lesson is opened."""
    assert "ipywidgets" not in vars(lessons)
