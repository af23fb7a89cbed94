"""`Lesson`: a question about a run; `Panel`: its widget, which asks before it shows; `Still`: it without widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from dosim.notebook.explorers.controls import Knob, control, pin_button, spoken

#: A prediction this near to what came, as a share of it, is right.
_NEAR = 0.05
_NOTHING_YET = "<p>The picture comes when you have predicted.</p>"


@dataclass(frozen=True, slots=True)
class Shown:
    """What one run came to: the answer to the lesson's question, a sentence, what the picture is drawn from."""

    answer: float | str
    said: str
    data: Any


@dataclass(frozen=True, slots=True)
class Lesson:
    """One explorer.

    `question` may name knobs in braces. `unit` is that of the answer; with `answers` one of these is chosen instead.
    `run(**knobs)` runs a simulation. `draw(shown, ghost, step)` is a picture in HTML, with axes that no knob changes;
    `ghost` is the pinned run or None. `steps(shown)`, if the lesson is stepped through, is how many steps there are.
    `slow`: a run takes more than about 150 ms; it waits until a slider is let go, and says that it runs.
    """

    title: str
    question: str
    unit: str
    knobs: Mapping[str, Knob]
    run: Callable[..., Shown]
    draw: Callable[[Shown, Shown | None, int], str]
    answers: Sequence[str] = ()
    steps: Callable[[Shown], int] | None = None
    slow: bool = False

    def asked(self, values: Mapping[str, object]) -> str:
        """The question for these knobs."""
        return self.question.format(**values)

    def told(self, answer: float | str) -> str:
        """An answer with its unit."""
        if isinstance(answer, str):
            return answer
        number = f"{answer:,.2f}" if self.unit == "$" else f"{answer:,.4g}"
        return f"${number}" if self.unit == "$" else f"{number} {self.unit}".strip()

    def last_step(self, shown: Shown) -> int:
        """The number of the last step; 0 where nothing is stepped through."""
        return 0 if self.steps is None else self.steps(shown) - 1


def open_lesson(lesson: Lesson) -> Any:
    """The lesson as a widget; where ipywidgets is not installed, its first run."""
    try:
        import ipywidgets
    except ImportError:
        return Still(lesson)
    return Panel(lesson, ipywidgets)


class Still:
    """A lesson without widgets: its first run, behind a fold that asks for a prediction."""

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self._values = {name: knob[0] if isinstance(knob, list) else knob[2] for name, knob in lesson.knobs.items()}
        self._shown: Shown | None = None

    @property
    def shown(self) -> Shown:
        """The run, made when it is first asked for."""
        if self._shown is None:
            self._shown = self.lesson.run(**self._values)
        return self._shown

    def __repr__(self) -> str:
        knobs = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in self._values.items())
        return f"{self.lesson.title}\n{self.lesson.asked(self._values)}\n{knobs}\n{self.shown.said}"

    def _repr_html_(self) -> str:
        lesson, shown = self.lesson, self.shown
        picture = lesson.draw(shown, None, lesson.last_step(shown))
        return (
            f"<h4>{escape(lesson.title)}</h4><p>{escape(lesson.asked(self._values))}</p>"
            f"<details><summary>Predict, then open</summary>{picture}<p>{escape(shown.said)}</p></details>"
        )


class Panel:
    """A lesson as a widget. Its parts can be driven from code as by hand.

    `controls`: the knobs by name. `guess`: where the prediction goes. `reveal`: the button that shows the run, and
    asks anew. `pin`: keeps the present run as a ghost. `step`: which step is shown, in a lesson that has steps.
    `picture`, `status`: what is shown, and said. `widget`: all of it.
    """

    def __init__(self, lesson: Lesson, widgets: Any) -> None:
        self.lesson = lesson
        self.shown: Shown | None = None
        self.pinned: Shown | None = None
        #: Counts the runs begun; the result of one that is not the newest is dropped.
        self.generation = 0
        self._still = Still(lesson)
        self.controls = {
            name: control(widgets, name, knob, live=not lesson.slow) for name, knob in lesson.knobs.items()
        }
        self.guess = self._guess(widgets)
        self.reveal = widgets.Button(description="Show", tooltip="Show the run", layout=widgets.Layout(width="10em"))
        self.pin = pin_button(widgets)
        self.step = widgets.IntSlider(
            value=0,
            min=0,
            max=0,
            description="step",
            layout=widgets.Layout(width="30em"),
            style={"description_width": "10em"},
        )
        self.question, self.picture, self.status = widgets.HTML(), widgets.HTML(_NOTHING_YET), widgets.HTML()
        for knob in self.controls.values():
            knob.observe(self._moved, "value")
        self.reveal.on_click(self._pressed)
        self.pin.observe(self._pin_changed, "value")
        self.step.observe(lambda _: self._draw(), "value")
        self.widget = widgets.VBox(
            [
                widgets.HTML(f"<h4>{escape(lesson.title)}</h4>"),
                *self.controls.values(),
                self.question,
                widgets.HBox([self.guess, self.reveal, self.pin]),
                *([self.step] if lesson.steps is not None else []),
                self.picture,
                self.status,
            ]
        )
        self._ask()

    def _guess(self, widgets: Any) -> Any:
        lesson = self.lesson
        if lesson.answers:
            return widgets.Dropdown(options=["?", *lesson.answers], description="I predict")
        return widgets.Text(
            description="I predict", placeholder=f"a number, in {lesson.unit}" if lesson.unit else "a number"
        )

    @property
    def values(self) -> dict[str, Any]:
        """What the knobs say."""
        return {name: knob.value for name, knob in self.controls.items()}

    @property
    def predicted(self) -> float | str | None:
        """The prediction; None as long as there is none."""
        said = self.guess.value.strip()
        if self.lesson.answers:
            return said if said in self.lesson.answers else None
        try:
            return float(said.removeprefix("$").removesuffix(self.lesson.unit).replace(",", "").strip())
        except ValueError:
            return None

    # -- what is done to it

    def _ask(self) -> None:
        """Hide the run until somebody has predicted it."""
        self.shown, self.guess.disabled, self.pin.disabled = None, False, True
        self.reveal.description = "Show"
        self.picture.value = _NOTHING_YET
        self._say("")
        self._moved()

    def _pressed(self, _: object) -> None:
        if self.shown is not None:
            self.guess.value = self.guess.options[0] if self.lesson.answers else ""
            self._ask()
        elif self.predicted is None:
            what = (
                "choose one of the answers"
                if self.lesson.answers
                else f"write a number, in {self.lesson.unit or 'figures'}"
            )
            self._say(f"Predict first: {what}. A wrong one teaches more than none.")
        else:
            self._run()

    def _moved(self, _: object = None) -> None:
        """A knob was moved: the question changes, and what is shown already is run again."""
        self.question.value = f"<p><b>{escape(self.lesson.asked(self.values))}</b></p>"
        if self.shown is not None:
            self._run()

    def _pin_changed(self, change: Any) -> None:
        self.pinned = self.shown if change["new"] else None
        self._draw()

    def _run(self) -> None:
        """Run with what the knobs say. A failure is told, and the last picture stays."""
        self.generation = mine = self.generation + 1
        first = self.shown is None
        if self.lesson.slow:
            self._say("running…")
        try:
            shown = self.lesson.run(**self.values)
        except Exception as error:
            if mine == self.generation:
                self._say(f"{type(error).__name__}: {error}")
            return
        if mine != self.generation:
            return
        self.shown, self.guess.disabled, self.pin.disabled = shown, True, False
        self.reveal.description = "Predict again"
        if self.lesson.steps is not None:
            self.step.max = self.lesson.last_step(shown)
            self.step.value = 0 if first else min(self.step.value, self.step.max)
        self._draw(compare=first)

    def _draw(self, *, compare: bool = False) -> None:
        shown, pinned = self.shown, self.pinned
        if shown is None:
            return
        self.picture.value = self.lesson.draw(shown, pinned, self.step.value)
        said = [self._compared(shown)] if compare else []
        said.append(shown.said)
        if pinned is not None and pinned is not shown:
            said.append(f"Pinned: {self.lesson.told(pinned.answer)}; now: {self.lesson.told(shown.answer)}.")
        self._say(" ".join(said))

    def _compared(self, shown: Shown) -> str:
        """The prediction beside what came."""
        predicted, answer = self.predicted, shown.answer
        assert predicted is not None
        if isinstance(answer, str) or isinstance(predicted, str):
            right = predicted == answer
        else:
            right = abs(predicted - answer) <= _NEAR * abs(answer)
        verdict = "right" if right else f"it is {self.lesson.told(answer)}"
        return f"You predicted {self.lesson.told(predicted)}: {verdict}."

    def _say(self, text: str) -> None:
        self.status.value = spoken(text)

    # -- how it is shown

    def __repr__(self) -> str:
        return f"<explorer: {self.lesson.title}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """The widget; and its first run, for front ends without widgets."""
        bundle = self.widget._repr_mimebundle_(include=include, exclude=exclude)
        return {**(bundle or {}), "text/plain": repr(self._still), "text/html": self._still._repr_html_()}
