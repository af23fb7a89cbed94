"""`explorer`: knobs that rerun a simulation and redraw it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ipywidgets
import pytest

from dosim import Simulation
from dosim.notebook import explorer
from dosim.views import costs_svg, latency_svg, queue_svg, timeline_svg
from dosim.workers import DurableObject


class Slow(DurableObject):
    async def serve(self) -> None:
        await asyncio.sleep(self.env.SECONDS)


def play(requests: int = 1, seconds: float = 1, rule: str = "input-gates") -> Simulation:
    sim = Simulation(durable_objects={"SLOW": Slow}, vars={"SECONDS": seconds}, concurrency=rule)
    sim.run(*[sim.env.SLOW.getByName("x").serve() for _ in range(requests)])
    return sim


def says(sim: Simulation) -> str:
    return f"<{sim.now.us // 1_000_000} seconds>"


def all_widgets(widget: Any) -> list[Any]:
    return [widget, *(found for child in getattr(widget, "children", ()) for found in all_widgets(child))]


def test_moving_a_knob_reruns_and_redraws() -> None:
    """Each knob is an argument of the function; picture, sentence and words follow it, escaped for HTML."""
    shown = explorer(play, says=says, requests=(1, 20, 2), seconds=(1, 9, 5), rule=["input-gates", "one-at-a-time"])
    requests, seconds, rule, _, sentence, picture, words = shown.children
    first = picture.value
    assert first.startswith("<svg") and 'class="dosim-chart dosim-auto"' in first
    assert "&lt;5 seconds&gt;" in sentence.value and 'aria-live="polite"' in sentence.value
    assert 2 == words.value.count("awaits for 5 s")

    rule.value = "one-at-a-time"
    assert "&lt;10 seconds&gt;" in sentence.value
    assert first != picture.value
    seconds.value = 7
    assert "&lt;14 seconds&gt;" in sentence.value
    requests.value = 3
    assert "&lt;21 seconds&gt;" in sentence.value
    assert 3 == words.value.count("awaits for 7 s")

    requests.value, seconds.value, rule.value = 2, 5, "input-gates"
    assert first == picture.value


def test_the_picture_is_replaced_in_place() -> None:
    """No Output widget, and the same widgets before and after: nothing flickers."""
    shown = explorer(play, requests=(1, 3, 2))
    before = all_widgets(shown)
    shown.children[0].value = 3

    assert before == all_widgets(shown)
    assert not [widget for widget in before if isinstance(widget, ipywidgets.Output)]


def test_a_failing_run_is_told() -> None:
    """The error takes the sentence's place, and the last picture stays."""
    shown = explorer(play, requests=(1, 3, 2), seconds=(1.0, 5.0, 2.5), rule=["input-gates", "<no rule>"])
    assert isinstance(shown.children[0], ipywidgets.IntSlider)
    assert isinstance(shown.children[1], ipywidgets.FloatSlider)
    picture = shown.children[-2].value

    shown.children[2].value = "<no rule>"
    assert "ValueError: concurrency=&#x27;&lt;no rule&gt;&#x27; is not known" in shown.children[-3].value
    assert picture == shown.children[-2].value


def test_a_pinned_run_stays_as_a_ghost() -> None:
    """While knobs move it stays in the picture and in its words; unpinned, it is gone."""
    shown = explorer(play, says=says, requests=(1, 3, 2), seconds=(1, 9, 5), rule=["input-gates", "one-at-a-time"])
    _, seconds, _, pin, sentence, picture, words = shown.children
    alone = picture.value
    pin.value = True
    assert ("Unpin", sentence.value) == (pin.description, '<p role="status" aria-live="polite">&lt;5 seconds&gt;</p>')
    seconds.value = 8

    assert "pinned run</text>" in picture.value
    assert 2 == words.value.split("The pinned run: ")[1].count("answered at 5 s")
    seconds.value, pin.value = 5, False
    assert (alone, "Pin this run") == (picture.value, pin.description)


@pytest.mark.parametrize("draws", [timeline_svg, queue_svg, latency_svg, costs_svg])
def test_any_light_chart_can_be_the_picture(draws: Callable[..., str]) -> None:
    """With its words, and with the pinned run."""
    shown = explorer(play, draws=draws, requests=(1, 3, 2))
    requests, pin, sentence, picture, words = shown.children
    pin.value = True
    first, requests.value = picture.value, 3

    assert "Error" not in sentence.value
    assert first != picture.value and "pinned run" in picture.value
    assert "The picture in words" in words.value


def test_a_picture_that_cannot_be_drawn_is_told() -> None:
    """As a failing run is, and a picture that says nothing of itself has no words."""
    shown = explorer(play, draws=lambda sim, ghost: f"<b>{len(sim.trace)}</b>", requests=(1, 3, 2))
    failing = explorer(play, draws=lambda sim: "<b></b>", requests=(1, 3, 2))

    assert ("<b>", "") == (shown.children[-2].value[:3], shown.children[-1].value)
    assert "TypeError" in failing.children[-3].value
    assert ("", True) == (failing.children[-2].value, failing.children[1].disabled)
    with pytest.raises(TypeError, match="draws='queue' draws nothing: give a function"):
        explorer(play, draws="queue", requests=(1, 3, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("knobs", "error", "text"),
    [
        ({}, TypeError, "nothing to move"),
        ({"requests": (5, 1, 3)}, ValueError, r"requests=\(5, 1, 3\) is no range"),
        ({"requests": 3}, TypeError, "requests=3 is no knob"),
        ({"requests": []}, TypeError, "no knob"),
    ],
)
def test_knobs_that_are_none(knobs: dict[str, Any], error: type[Exception], text: str) -> None:
    """The error names the argument and the fix."""
    with pytest.raises(error, match=text):
        explorer(play, **knobs)
