"""`explorer`: knobs that rerun a simulation and redraw it."""

from __future__ import annotations

import asyncio
from typing import Any

import ipywidgets
import pytest

from dosim import Simulation
from dosim.notebook import explorer
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
    requests, seconds, rule, sentence, picture, words = shown.children
    first = bytes(picture.value)
    assert first.startswith(b"\x89PNG")
    assert "&lt;5 seconds&gt;" in sentence.value and 'aria-live="polite"' in sentence.value
    assert 2 == words.value.count("awaits for 5 s")

    rule.value = "one-at-a-time"
    assert "&lt;10 seconds&gt;" in sentence.value
    assert first != bytes(picture.value)
    seconds.value = 7
    assert "&lt;14 seconds&gt;" in sentence.value
    requests.value = 3
    assert "&lt;21 seconds&gt;" in sentence.value
    assert 3 == words.value.count("awaits for 7 s")

    requests.value, seconds.value, rule.value = 2, 5, "input-gates"
    assert first == bytes(picture.value)


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
