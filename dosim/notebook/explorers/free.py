"""`explorer`: sliders above a picture; whoever moves one reruns the simulation and sees it drawn anew.

The picture is SVG, in the colours of the page, and is replaced in place when the new one is there (no Output widget,
which flickers in some notebooks); what it shows is also said in words. A run that is pinned stays in it as a ghost. A
run that fails says why and leaves the last picture standing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from dosim.notebook.explorers.controls import Knob, control, pin_button, spoken
from dosim.views.live_timelines import timeline_svg
from dosim.views.svg import words_of

if TYPE_CHECKING:
    from dosim.simulation import Simulation


def explorer(
    run: Callable[..., Simulation],
    *,
    says: Callable[[Simulation], str] = repr,
    draws: Callable[..., str] = timeline_svg,
    **knobs: Knob,
) -> Any:
    """A widget with a knob for each argument of `run`, which makes a simulation, runs it and returns it.

    A knob is (lowest, highest, at first) for a slider, of whole numbers if all three are, or a list of texts to choose
    from. `says` gives the sentence above the picture. `draws(simulation, ghost=...)` gives the picture as HTML, as
    `timeline_svg`, `queue_svg`, `latency_svg` and `costs_svg` of `dosim.views` do; the ghost is the pinned run or None.
    Raises ValueError or TypeError that name argument and fix.
    """
    import ipywidgets as widgets

    if not knobs:
        raise TypeError(
            "explorer() got nothing to move: name the arguments of run, as in explorer(run, requests=(1, 20, 10))."
        )
    if not callable(draws):
        raise TypeError(f"draws={draws!r} draws nothing: give a function such as dosim.views.queue_svg.")
    controls = {name: control(widgets, name, knob) for name, knob in knobs.items()}
    pin = pin_button(widgets)
    view = _View(run, says, draws, controls, pin, [widgets.HTML() for _ in range(3)])
    for each in controls.values():
        each.observe(view.redraw, "value")
    pin.observe(view.pinned_or_not, "value")
    view.redraw()
    return widgets.VBox([*controls.values(), pin, *view.parts])


class _View:
    """What is shown, and how it is brought up to date. `parts`: the sentence, the picture, the picture in words."""

    def __init__(
        self,
        run: Callable[..., Simulation],
        says: Callable[[Simulation], str],
        draws: Callable[..., str],
        controls: Mapping[str, Any],
        pin: Any,
        parts: list[Any],
    ) -> None:
        self.parts = parts
        self._run = run
        self._says = says
        self._draws = draws
        self._controls = controls
        self._pin = pin
        self._simulation: Simulation | None = None
        self._sentence = ""
        self._ghost: Simulation | None = None

    def redraw(self, _: object = None) -> None:
        """Run with what the knobs say, then show it all. A failure is told, and the last picture stays."""
        try:
            simulation = self._run(**{name: control.value for name, control in self._controls.items()})
            self._show(simulation, spoken(self._says(simulation)))
        except Exception as error:
            self._fail(error)

    def pinned_or_not(self, change: Any) -> None:
        """The present run becomes the ghost, or there is none any more."""
        simulation = self._simulation
        self._ghost = simulation if change["new"] else None
        if simulation is None:
            return
        try:
            self._show(simulation, self._sentence)
        except Exception as error:
            self._fail(error)

    def _show(self, simulation: Simulation, sentence: str) -> None:
        picture = self._draws(simulation, ghost=self._ghost)
        said, shown, words = self.parts
        shown.value, said.value = picture, sentence
        told = words_of(picture)
        words.value = f"<details><summary>The picture in words</summary>{_lines(told)}</details>" if told else ""
        self._simulation, self._sentence, self._pin.disabled = simulation, sentence, False

    def _fail(self, error: Exception) -> None:
        self.parts[0].value = spoken(f"{type(error).__name__}: {error}")


def _lines(text: str) -> str:
    return "<br>".join(escape(text).splitlines())
