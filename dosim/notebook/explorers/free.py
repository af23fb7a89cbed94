"""`explorer`: sliders above a picture; whoever moves one reruns the simulation and sees it drawn anew.

The picture is replaced in place, when the new one is there (no Output widget, which flickers in some notebooks), and
what it shows is also said in words. A run that fails says why and leaves the last picture standing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from dosim.notebook.explorers.controls import Knob, control, spoken

if TYPE_CHECKING:
    from dosim.simulation import Simulation

#: Resolution of the picture, dots per inch.
_DPI = 110


def explorer(run: Callable[..., Simulation], *, says: Callable[[Simulation], str] = repr, **knobs: Knob) -> Any:
    """A widget with a knob for each argument of `run`, which makes a simulation, runs it and returns it.

    A knob is (lowest, highest, at first) for a slider, of whole numbers if all three are, or a list of texts to choose
    from. `says` gives the sentence above the picture. Raises ValueError or TypeError that name argument and fix.
    """
    import ipywidgets as widgets

    if not knobs:
        raise TypeError(
            "explorer() got nothing to move: name the arguments of run, as in explorer(run, requests=(1, 20, 10))."
        )
    controls = {name: control(widgets, name, knob) for name, knob in knobs.items()}
    sentence = widgets.HTML()
    picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%", object_fit="contain"))
    words = widgets.HTML()
    view = _View(run, says, controls, sentence, picture, words)
    for each in controls.values():
        each.observe(view.redraw, "value")
    view.redraw()
    return widgets.VBox([*controls.values(), sentence, picture, words])


class _View:
    """What is shown, and how it is brought up to date."""

    def __init__(
        self,
        run: Callable[..., Simulation],
        says: Callable[[Simulation], str],
        controls: Mapping[str, Any],
        sentence: Any,
        picture: Any,
        words: Any,
    ) -> None:
        self._run = run
        self._says = says
        self._controls = controls
        self._sentence = sentence
        self._picture = picture
        self._words = words

    def redraw(self, _: object = None) -> None:
        """Run with what the knobs say, then show it all. A failure is told, and the last picture stays."""
        try:
            simulation = self._run(**{name: control.value for name, control in self._controls.items()})
            figure = simulation.timeline()
            sentence = spoken(self._says(simulation))
        except Exception as error:
            self._sentence.value = spoken(f"{type(error).__name__}: {error}")
            return
        self._picture.value = _png(figure)
        self._sentence.value = sentence
        self._words.value = f"<details><summary>The picture in words</summary>{_lines(figure.alt)}</details>"


def _lines(text: str) -> str:
    return "<br>".join(escape(text).splitlines())


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
    return file.getvalue()
