"""`shared-document`: ten people write in one text at once, in three ways: only one of them is good.

Clients that set the state send the whole text as they have it: the last one wins, the others' letters are gone, and as
nobody is sent back what he has set himself, not even the screens agree. With versions nothing is lost, but who is far
away is refused until the others rest. With edits that the agent moves to their place nothing is lost or refused.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final, NamedTuple

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.scenarios.screens import Screen, talk
from dosim.simulation import Simulation
from dosim.trace.words import counted

PEOPLE: Final = {
    "Ann": "Paris",
    "Ben": "London",
    "Cem": "Berlin",
    "Dan": "New York",
    "Eva": "San Francisco",
    "Fay": "São Paulo",
    "Gus": "Mumbai",
    "Hal": "Johannesburg",
    "Ida": "Tokyo",
    "Jon": "Sydney",
}
#: Everybody strikes the letter too many in the title, and then writes this behind the own name, letter by letter.
WORDS: Final = "I was here"
TITLE: Final = "draft"
TYPO: Final = "drafft"
#: One letter of somebody's after the other; all begin in the same instant.
PACE_S: Final = 0.5
#: A crash and lost connections come so long after a letter: some calls have come to the agent, and no answer back.
TROUBLE_S: Final = 0.1
WAYS: Final = {
    "Pasted": "the clients set the state",
    "Checked": "the whole text and its version",
    "Merged": "edits, moved to their place",
}


class Edit(NamedTuple):
    """What somebody changes: so many letters struck at a place of the text, and these set in."""

    place: int
    struck: int
    letters: str

    def of(self, text: str) -> str:
        """The text with it."""
        return text[: self.place] + self.letters + text[self.place + self.struck :]


def run(*, seed: int | str = 0) -> Lesson:
    """Ten people write at once, in each of the three ways; once more in trouble; and an edit made offline."""
    found = {way: _written(_simulation(seed), way, PEOPLE) for way in WAYS}
    troubled = _written(_simulation(seed), "Merged", PEOPLE, trouble=True)
    offline = _offline(_simulation(seed))
    small = _simulation(seed)
    _written(small, "Merged", dict(list(PEOPLE.items())[::3]), "hi")
    facts = {"people": len(PEOPLE), "ways": found, "trouble": troubled, "offline": offline}
    pasted, checked, merged = found.values()
    claim = (
        f"{len(PEOPLE)} people make {merged['edits']} edits at once. When the clients set the state,"
        f" {pasted['lost']} are lost, and it leaves {counted(pasted['screens_wrong'], 'screen')} with another text than"
        " the agent's."
        f" With a version that is checked {checked['lost'] or 'none'} is lost, {checked['refused']} calls are refused,"
        f" and the last letter is in after {checked['took_s']:.1f} s. With edits that the agent moves to their place"
        f" {merged['lost'] or 'none'} is lost and {merged['refused'] or 'none'} refused, in {merged['took_s']:.1f} s."
    )
    assumed = (
        "nobody writes into another's line, and a letter that is set in where somebody strikes at the same time would"
        " be struck too if more than one were struck at once: here it is one."
    )
    world = World("in small: four people, three edits each, moved to their place", small, talk(small))
    return Lesson("shared-document", claim, facts, _shown(facts), [world], seed, assumed, ("shared_document",))


# -- what happens


def _simulation(seed: int | str) -> Simulation:
    return Simulation.from_project(project("shared_document"), seed=seed, show_output=False)


def _written(
    sim: Simulation, way: str, people: dict[str, str], words: str = WORDS, *, trouble: bool = False
) -> dict[str, Any]:
    """They write; what became of it."""
    begun(sim, way, list(people))
    writers = [Writer(sim, way, who, city, words) for who, city in people.items()]
    sim.run(*[writer.screen.connect() for writer in writers])
    sim.run(for_="1s")
    start_us = sim.now.us
    sim.run(*[writer.write() for writer in writers], *([_trouble(sim, writers)] if trouble else ()))
    took_us = sim.now.us - start_us
    sim.run(for_="5s")
    state = document(sim, way)
    return {
        "edits": sum(writer.edits for writer in writers),
        "lost": lost(state["text"], list(people), words),
        "right": state["text"] == wanted(list(people), words),
        "refused": sum(writer.refused for writer in writers),
        "sent_again": sum(writer.sent_again for writer in writers),
        "in_already": sum(writer.in_already for writer in writers),
        "screens_wrong": sum(writer.screen.shown != state for writer in writers),
        "took_s": took_us / 1e6,
        "waits": {writer.screen.city: writer.waits() for writer in writers},
        "lives": sim.objects["doc"].instance,
    }


def begun(sim: Simulation, way: str, people: list[str]) -> None:
    """A new document: a title with a letter too many, and a line for each."""
    text = "\n".join((TYPO, *(f"{who}: " for who in people), ""))
    sim.run(sim.client(PEOPLE[people[0]]).fetch(_url(way), method="POST", body=text))


def document(sim: Simulation, way: str) -> Any:
    """The agent's state."""
    client = sim.client(next(iter(PEOPLE.values())))
    return sim.run(sim.run(client.fetch(_url(way))).json())


def wanted(people: list[str], words: str) -> str:
    """What they have written, if nothing is lost and nothing is there twice."""
    return "\n".join((TITLE, *(f"{who}: {words}" for who in people), ""))


def lost(text: str, people: list[str], words: str) -> int:
    """How many letters are missing in the text, and the letter that should not be there."""
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    missing = sum(len(words) - len(lines.get(who, "")) for who in people)
    return missing + text.startswith(TYPO)


def _url(way: str) -> str:
    return f"https://app.example/agents/{way.lower()}/doc"


async def _trouble(sim: Simulation, writers: list[Writer]) -> None:
    """While they write the agent's machine is gone; and later every second of them loses the connection."""
    await asyncio.sleep(5 * PACE_S + TROUBLE_S)
    sim.crash("doc")
    await asyncio.sleep(3 * PACE_S)
    for writer in writers[::2]:
        writer.screen.socket.vanish()


class Writer:
    """Somebody who writes: strikes the letter too many, and then sets in the own words, each at the own pace."""

    def __init__(self, sim: Simulation, way: str, who: str, city: str, words: str) -> None:
        self.screen = Screen(sim, who, city, f"{way.lower()}/doc")
        self.words = words
        self.refused = self.sent_again = self.in_already = self.edits = 0
        self._sim, self._send = sim, getattr(self, f"_{way.lower()}")
        self._waits_us: list[int] = []

    async def write(self) -> None:
        """All of it; a letter that has to wait for the one before it comes later."""
        start_us = self._sim.now.us
        for number in range(1 + len(self.words)):
            wait_us = start_us + round(number * PACE_S * 1e6) - self._sim.now.us
            await asyncio.sleep(max(wait_us, 0) / 1e6)
            asked_us = self._sim.now.us
            if self._edit(number) is not None:
                self.edits += 1
                await self._send(number)
                self._waits_us.append(self._sim.now.us - asked_us)

    def waits(self) -> dict[str, int]:
        """The median and the longest time until an edit was in the agent's text, microseconds; and the calls."""
        waits = sorted(self._waits_us)
        calls = len(waits) + self.refused + self.sent_again
        return {"median_us": waits[len(waits) // 2], "longest_us": waits[-1], "calls": calls}

    def _edit(self, number: int) -> Edit | None:
        """What to change in the text that is shown: first the title, if it is wrong, then letter by letter."""
        text: str = self.screen.shown["text"]
        if number == 0:
            return Edit(len(TITLE) - 1, 1, "") if text.startswith(TYPO) else None
        line = text.index(f"\n{self.screen.who}: ") + 1
        return Edit(text.index("\n", line), 0, self.words[number - 1])

    async def _pasted(self, number: int) -> None:
        edit = self._edit(number)
        assert edit is not None
        self.screen.set_state({**self.screen.shown, "text": edit.of(self.screen.shown["text"])})

    async def _checked(self, number: int) -> None:
        while (edit := self._edit(number)) is not None:
            shown = self.screen.shown
            answer = await self.screen.answer(self.screen.call("write", shown["version"], edit.of(shown["text"])))
            if answer["success"]:
                return
            self.refused += 1

    async def _merged(self, number: int) -> None:
        edit, version = self._edit(number), self.screen.shown["version"]
        assert edit is not None
        key = f"{self.screen.who} {number}"
        while True:
            with suppress(ConnectionError):
                answer = await self.screen.answer(self.screen.call("edit", key, version, *edit))
                if answer["success"]:
                    self.in_already += answer["result"] == "is in already"
                    return
                self.refused += 1
            self.sent_again += 1
            with suppress(ConnectionError):
                await self.screen.connect()


def _offline(sim: Simulation) -> dict[str, Any]:
    """One makes an edit while he has no connection; he sends it after an hour, in which others have written."""
    people = list(PEOPLE)
    begun(sim, "Merged", people)
    far = Screen(sim, people[-1], PEOPLE[people[-1]], "merged/doc")
    sim.run(far.connect())
    sim.run(for_="1s")
    old = far.shown
    place = len(old["text"]) - 1
    far.socket.vanish()
    near = Writer(sim, "Merged", people[0], PEOPLE[people[0]], WORDS)
    sim.run(near.screen.connect())
    sim.run(for_="1s")
    sim.run(near.write())
    sim.run(for_="20s")
    start = sim.bill()
    sim.run(for_="1h")
    slept = {"state": sim.objects["doc"].state, "gb_s": float(sim.bill(since=start).quantity("do_duration"))}
    sim.run(far.connect())
    sim.run(far.answer(far.call("edit", "made offline", old["version"], place, 0, "late")))
    state = document(sim, "Merged")
    return {
        **slept,
        "version_edited": old["version"],
        "version_then": state["version"] - 1,
        "place_edited": place,
        "place_then": state["text"].index("late"),
        "line": state["text"].splitlines()[-1],
    }


# -- what is shown


def _shown(facts: dict[str, Any]) -> list[Block]:
    ways = {WAYS[way]: fact for way, fact in facts["ways"].items()} | {"the same, in trouble": facts["trouble"]}
    columns = ("", "edits", "lost", "refused", "sent again", "screens that differ", "all in after")
    rows = [
        (
            title,
            one["edits"],
            one["lost"],
            one["refused"],
            one["sent_again"],
            f"{one['screens_wrong']} of {facts['people']}",
            f"{one['took_s']:.1f} s",
        )
        for title, one in ways.items()
    ]
    waits = {WAYS[way]: facts["ways"][way]["waits"] for way in ("Checked", "Merged")}
    checked, merged = waits.values()
    delays = [(city, *(text for one in (checked[city], merged[city]) for text in _wait(one))) for city in checked]
    off, trouble = facts["offline"], facts["trouble"]
    return [
        table(columns, rows),
        Paragraph(
            "What a client has set itself is not sent back to it, and another's state, older than its own, may still be"
            " on the way to it: so a screen may show what the agent no longer has, until the next state comes. What a"
            " method of the agent sets is sent to everybody, in the one order in which it was set."
        ),
        Heading("until a letter is in, by city"),
        table(("", "checked: median", "longest", "calls", "moved: median", "longest ", "calls "), delays),
        Paragraph(
            "Checked, an edit fails if any other has come in since its text was sent out: the longer the way, the more"
            " have. Moved, an edit comes in with its first call."
        ),
        Heading("in trouble"),
        Paragraph(
            "A crash while they write, and later every second connection is lost. Whoever has no answer connects again"
            f" and makes the same call: {trouble['sent_again']} did, {trouble['in_already']} of them for an edit that"
            " was in already, whose answer was lost. The key that goes with an edit keeps it from coming in twice: the"
            f" text is {'as it should be' if trouble['right'] else 'not as it should be'}."
        ),
        Heading("an edit made offline"),
        Paragraph(
            f"Made in version {off['version_edited']} at letter {off['place_edited']}, sent after an hour in which the"
            f" agent has {off['state']} and used {off['gb_s']:g} GB-s: it was version {off['version_then']} by then. It"
            f" is in at letter {off['place_then']}: `{off['line']}`. The edits are in a table, so the agent needs"
            " no memory to move it."
        ),
    ]


def _wait(one: dict[str, int]) -> tuple[str, ...]:
    return f"{one['median_us'] / 1000:.0f} ms", f"{one['longest_us'] / 1000:.0f} ms", str(one["calls"])
