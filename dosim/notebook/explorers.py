"""`explorer`: sliders above a picture; whoever moves one reruns the simulation and sees it drawn anew.

The picture is replaced in place, when the new one is there (no Output widget, which flickers in some notebooks), and
what it shows is also said in words. A run that fails says why and leaves the last picture standing.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dosim.simulation import Simulation

#: What a slider or a choice may be: (lowest, highest, at first), or a list to choose from, the first one at first.
Knob = tuple[float, float, float] | Sequence[str]
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
    controls = {name: _control(widgets, name, knob) for name, knob in knobs.items()}
    sentence = widgets.HTML()
    picture = widgets.Image(format="png", layout=widgets.Layout(max_width="100%", object_fit="contain"))
    words = widgets.HTML()
    view = _View(run, says, controls, sentence, picture, words)
    for control in controls.values():
        control.observe(view.redraw, "value")
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
            sentence = _spoken(self._says(simulation))
        except Exception as error:
            self._sentence.value = _spoken(f"{type(error).__name__}: {error}")
            return
        self._picture.value = _png(figure)
        self._sentence.value = sentence
        self._words.value = f"<details><summary>The picture in words</summary>{_lines(figure.alt)}</details>"


def _control(widgets: Any, name: str, knob: object) -> Any:
    """The slider or choice for one argument. It speaks when it is let go: a run and its picture take a moment."""
    wide = widgets.Layout(width="28em")
    style = {"description_width": "6em"}
    if isinstance(knob, tuple) and len(knob) == 3 and all(isinstance(value, (int, float)) for value in knob):
        low, high, start = knob
        if not low <= start <= high:
            raise ValueError(f"{name}={knob!r} is no range: give (lowest, highest, at first), such as (1, 20, 10).")
        whole = all(isinstance(value, int) for value in knob)
        slider = widgets.IntSlider if whole else widgets.FloatSlider
        return slider(
            value=start, min=low, max=high, description=name, continuous_update=False, layout=wide, style=style
        )
    if isinstance(knob, list) and knob and all(isinstance(choice, str) for choice in knob):
        return widgets.Dropdown(options=knob, description=name, layout=wide, style=style)
    raise TypeError(
        f"{name}={knob!r} is no knob: give (lowest, highest, at first) for a slider, or a list of texts to choose from."
    )


def _spoken(text: str) -> str:
    """A sentence that a screen reader reads out when it changes."""
    return f'<p role="status" aria-live="polite">{escape(text)}</p>'


def _lines(text: str) -> str:
    return "<br>".join(escape(text).splitlines())


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None})
    return file.getvalue()
