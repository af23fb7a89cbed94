"""Two requests read, add one and write: where the input gate lets the second one in, and whose one is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from html import escape
from typing import Any, Final, NamedTuple

from dosim.notebook.explorers.lesson import Lesson, Shown, open_lesson
from dosim.simulation import Simulation
from dosim.workers import DurableObject, fetch
from dosim.workers.js import console

_NOTHING, _TIMER, _FETCH, _BLOCK, _TRANSACTION = (
    "nothing: storage only",
    "a timer of 10 ms",
    "a fetch that takes 10 ms",
    "a timer, inside blockConcurrencyWhile",
    "a timer, inside storage.transaction",
)
_WAYS: Final = [_TIMER, _NOTHING, _FETCH, _BLOCK, _TRANSACTION]
_NAMES: Final = ("A", "B")


class Step(NamedTuple):
    """One thing that happened: when, to which request, what, and what is stored after it."""

    at_us: int
    who: str
    what: str
    stored: int


class _Account(DurableObject):
    async def add(self, who: str) -> None:
        way = self.env.BETWEEN
        _say(who, "enters the object", await self._stored())
        if way == _BLOCK:
            await self.ctx.blockConcurrencyWhile(lambda: self._add(who, way))
        elif way == _TRANSACTION:
            await self.ctx.storage.transaction(lambda _: self._add(who, way))
        else:
            await self._add(who, way)

    async def _add(self, who: str, way: str) -> None:
        n = await self._stored()
        _say(who, f"reads {n}", n)
        if way == _FETCH:
            await fetch("https://elsewhere.example/")
        elif way != _NOTHING:
            await asyncio.sleep(0.010)
        await self.ctx.storage.put("n", n + 1)
        _say(who, f"writes {n} + 1 = {n + 1}", n + 1)

    async def _stored(self) -> int:
        found: int = await self.ctx.storage.get("n") or 0
        return found


def _say(who: str, what: str, stored: int) -> None:
    console.log(json.dumps([who, what, stored]))


def lost_update() -> Any:
    """An explorer: step through two requests that read, wait and write, and see whether one of them is lost."""
    return open_lesson(LESSON)


def _run(between: str, second_after_ms: int) -> Shown:
    sim = Simulation(durable_objects={"ACCOUNT": _Account}, vars={"BETWEEN": between}, network=None, show_output=False)
    sim.external("https://elsewhere.example", lambda request: "yes", latency="10ms")
    account = sim.env.ACCOUNT.getByName("account")
    first = account.add(_NAMES[0])
    sim.run(until=f"{second_after_ms}ms")
    second = account.add(_NAMES[1])
    sim.run(first, second)
    sim.run()
    said = [(record.t_us, *json.loads(str(record.detail["text"]))) for record in sim.trace.of_kind("log")]
    steps = [Step(*each) for each in said]
    n = sim.objects["account"].storage["n"]
    fate = "both additions count" if n == len(_NAMES) else "one addition is lost, as both read the same number"
    return Shown(str(n), f"In the end {n} is stored: {fate}.", steps)


def _draw(shown: Shown, ghost: Shown | None, step: int) -> str:
    tables = [_table(shown.data, step, "This run")]
    if ghost is not None:
        tables.append(_table(ghost.data, len(ghost.data) - 1, "Pinned run"))
    return f'<div style="display:flex;flex-wrap:wrap;gap:2em">{"".join(tables)}</div>'


def _table(steps: Sequence[Step], shown: int, caption: str) -> str:
    """A column for each request and one for the disk; steps beyond the one that is shown are blank."""
    cell = "padding:2px 10px;text-align:left;border-bottom:1px solid #8886;height:1.4em;min-width:4em"
    wide = dict.fromkeys(map(_request, _NAMES), f"{cell};min-width:10em")
    names = ("time", *wide, "stored")
    head = "".join(f'<th scope="col" style="{wide.get(name, cell)}">{name}</th>' for name in names)
    rows = []
    for number, (at_us, who, what, stored) in enumerate(steps):
        texts = [f"{at_us / 1000:g} ms", *(what if who == name else "" for name in _NAMES), str(stored)]
        if number > shown:
            texts = [""] * len(texts)
        look = ' style="font-weight:bold;box-shadow:inset 3px 0 #D55E00"' if number == shown else ""
        rows.append(f"<tr{look}>" + "".join(f'<td style="{cell}">{escape(text)}</td>' for text in texts) + "</tr>")
    return (
        f'<table style="border-collapse:collapse"><caption style="text-align:left">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _request(name: str) -> str:
    return f"request {name}"


LESSON: Final = Lesson(
    title="Input gates and the lost update",
    question="Two requests read a number that is 0, and write it back plus 1. Between reading and writing there is"
    " {between}; the second comes {second_after_ms} ms after the first. What is stored in the end?",
    unit="",
    knobs={"between": _WAYS, "second_after_ms": (0, 20, 5)},
    run=_run,
    draw=_draw,
    answers=("1", "2"),
    steps=lambda shown: len(shown.data),
)
