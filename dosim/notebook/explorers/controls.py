"""Controls of explorers: sliders, choices, the button that pins, and sentences that are read out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

#: What a slider or a choice may be: (lowest, highest, at first), or a list to choose from, the first one at first.
Knob = tuple[float, float, float] | Sequence[str]


def control(widgets: Any, name: str, knob: object, *, live: bool = False) -> Any:
    """The slider or choice for one argument. Unless `live` it speaks when it is let go: a run takes a moment.

    Raises ValueError or TypeError that name the argument and what a knob is.
    """
    wide = widgets.Layout(width="30em")
    style = {"description_width": "10em"}
    if isinstance(knob, tuple) and len(knob) == 3 and all(isinstance(value, (int, float)) for value in knob):
        low, high, start = knob
        if not low <= start <= high:
            raise ValueError(f"{name}={knob!r} is no range: give (lowest, highest, at first), such as (1, 20, 10).")
        whole = all(isinstance(value, int) for value in knob)
        slider = widgets.IntSlider if whole else widgets.FloatSlider
        return slider(
            value=start,
            min=low,
            max=high,
            description=name.replace("_", " "),
            continuous_update=live,
            layout=wide,
            style=style,
        )
    if isinstance(knob, list) and knob and all(isinstance(choice, str) for choice in knob):
        return widgets.Dropdown(options=knob, description=name.replace("_", " "), layout=wide, style=style)
    raise TypeError(
        f"{name}={knob!r} is no knob: give (lowest, highest, at first) for a slider, or a list of texts to choose from."
    )


def pin_button(widgets: Any) -> Any:
    """The button that keeps a run as a ghost; it is off until there is a run, and says what it would do."""
    pin = widgets.ToggleButton(tooltip="Keep this run, to compare others with it", disabled=True)

    def name(_: object = None) -> None:
        pin.description = "Unpin" if pin.value else "Pin this run"

    name()
    pin.observe(name, "value")
    return pin


def spoken(text: str) -> str:
    """A sentence that a screen reader reads out when it changes."""
    return f'<p role="status" aria-live="polite">{escape(text)}</p>'
