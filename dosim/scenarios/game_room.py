"""`game-room`: players set the state, the agent refuses what is no move: nobody else ever sees a wrong one.

Who may move is in the connection's state, which outlives hibernation but not the connection; whose seat it is is in a
table, which outlives both. `validate_state_change` runs before anything is kept or sent.
"""

from __future__ import annotations

from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.scenarios.screens import Screen, talk
from dosim.simulation import Simulation

PATH: Final = "game-room/game"
#: Who comes, in this order: the first two have the seats.
PEOPLE: Final = {"Ann": "Paris", "Ben": "Tokyo", "Cem": "Sydney"}


def run(*, seed: int | str = 0) -> Lesson:
    """A game with wrong moves, a player who drops out for an hour, and two who move at once."""
    facts = _played(_simulation(seed), away="1h")
    small = _simulation(seed)
    _played(small, away="5s")
    away = facts["drop"]
    refused = [attempt for attempt in facts["attempts"] if attempt["refused"]]
    claim = (
        f"Of {len(facts['attempts'])} attempts the agent refused {len(refused)}, and nobody else saw any of these. Ann"
        f" dropped out at her turn; after an hour, in which the agent had {away['state']}, she had her seat"
        f" {away['seat']} and the board {away['state_after_us'] / 1000:.0f} ms after she had asked, and moved."
    )
    assumed = (
        "a player is who the connection's id says: a real game checks a token in `on_before_connect` of"
        " route_agent_request."
    )
    world = World("in small: she is away for five seconds", small, talk(small))
    return Lesson("game-room", claim, facts, _shown(facts), [world], seed, assumed, ("game_room",))


# -- what happens


def _simulation(seed: int | str) -> Simulation:
    return Simulation.from_project(project("game_room"), seed=seed, show_output=False)


def _played(sim: Simulation, away: str) -> dict[str, Any]:
    """The game, move by move; Ann is away for so long."""
    screens = [Screen(sim, who, city, PATH) for who, city in PEOPLE.items()]
    for screen in screens:
        sim.run(screen.connect())
    ann, ben, cem = screens
    game = _Game(sim, screens)
    game.plays("her first move", ann, 4)
    game.plays("another one, out of turn", ann, 0)
    game.plays("looks on, and moves", cem, 0)
    game.sets("two marks at once", ben, _marked(ben.shown, "O", 0, 1))
    game.plays("a move, as his screen shows the board", ben, 8)
    wrong = [screen.who for screen in screens if screen.shown != game.state()]
    for screen in screens:
        _asks(sim, screen)
    game.plays("has asked for the board, and moves", ben, 0)
    drop = _drops(sim, game, away)
    game.plays("back, and it is her turn", ann, 2)
    game.at_once("at once: his move", ben, 6, "at once: hers, out of turn", ann, 8)
    game.at_once("at once: hers", ann, 5, "at once: his, on the old board", ben, 8)
    game.plays("his move", ben, 3)
    for attempt, reason in zip((one for one in game.attempts if one["refused"]), _reasons(sim), strict=True):
        attempt["reason"] = reason
    end = game.state()
    return {
        "attempts": game.attempts,
        "wrong_until_asked": wrong,
        "drop": drop,
        "end": end,
        "shown_by_all": [screen.shown == end for screen in screens],
    }


class _Game:
    """What the three try, one attempt after the other, and who saw what of it."""

    def __init__(self, sim: Simulation, screens: list[Screen]) -> None:
        self.sim, self.screens = sim, screens
        self.attempts: list[dict[str, Any]] = []

    def state(self) -> Any:
        """The agent's state, asked by nobody who plays."""
        return self.sim.run(self.sim.env.GameRoom.getByName("game").board())

    def plays(self, what: str, screen: Screen, cell: int) -> None:
        """Somebody sets a mark on the board as it is on the screen: one's own, or that of whose turn it is."""
        self.sets(what, screen, _marked(screen.shown, _seat(screen) or screen.shown["turn"], cell))

    def sets(self, what: str, screen: Screen, state: Any) -> None:
        self._attempt([(what, screen, state)])

    def at_once(self, what: str, screen: Screen, cell: int, other_what: str, other: Screen, other_cell: int) -> None:
        """Two set a mark in the same instant, each on the board of their own screen."""
        moves = ((what, screen, cell), (other_what, other, other_cell))
        self._attempt([(what, who, _marked(who.shown, _seat(who), cell)) for what, who, cell in moves])

    def _attempt(self, tries: list[tuple[str, Screen, Any]]) -> None:
        states = {screen.who: len(screen.states()) for screen in self.screens}
        refusals = {screen.who: len(_refusals(screen)) for screen in self.screens}
        for _, screen, state in tries:
            screen.set_state(state)
        self.sim.run(for_="1s")
        truth = self.state()
        for what, screen, state in tries:
            others = [other for other in self.screens if other is not screen and other.socket.closed is None]
            new = [other.states()[states[other.who] :] for other in others]
            self.attempts.append(
                {
                    "who": screen.who,
                    "what": what,
                    "refused": " ".join(_refusals(screen)[refusals[screen.who] :]),
                    "seen_by": sum(state in seen for seen in new),
                    "others": len(others),
                    "own_screen_right": screen.shown == truth,
                }
            )


def _refusals(screen: Screen) -> list[str]:
    """What it was told of states that were refused."""
    return [frame.data["error"] for frame in screen.frames("cf_agent_state_error")]


def _here(screen: Screen) -> dict[str, Any]:
    """Who is here, as it was told last."""
    return screen.frames("here")[-1].data


def _seat(screen: Screen) -> str:
    """Its seat, as everybody is told on every coming and going; empty for who looks on."""
    return next((seat for seat, player in _here(screen)["players"].items() if player == screen.who), "")


def _marked(state: Any, mark: str, *cells: int) -> Any:
    """The state that a client makes of one: these marks, the other's turn."""
    marked = "".join(mark if number in cells else cell for number, cell in enumerate(state["cells"]))
    lines = ("012", "345", "678", "036", "147", "258", "048", "246")
    won = any(all(marked[int(place)] == mark for place in line) for line in lines)
    over = won or "." not in marked
    return {"cells": marked, "turn": "" if over else "XO"[mark == "X"], "winner": mark if won else ""}


def _asks(sim: Simulation, screen: Screen) -> None:
    """Somebody asks for the board, and is shown it."""
    screen.show(sim.run(screen.answer(screen.call("board")))["result"])


def _drops(sim: Simulation, game: _Game, away: str) -> dict[str, Any]:
    """Ann drops out at her turn, Ben tries to play for her; after a while she is back."""
    ann, ben, _ = game.screens
    ann.socket.vanish()
    sim.run(for_="1s")
    others_told = _here(ben)["players"]
    game.sets("sets her mark while she is away", ben, _marked(ben.shown, "X", 8))
    _asks(sim, ben)
    start = sim.bill()
    sim.run(for_=away)
    slept = {"state": sim.objects["game"].state, "gb_s": float(sim.bill(since=start).quantity("do_duration"))}
    asked_us = sim.now.us
    sim.run(ann.connect())
    sim.run(for_="1s")
    (state,) = ann.frames("cf_agent_state", last=True)
    return {
        **slept,
        "lives": sim.objects["game"].instance,
        "others_told": others_told,
        "seat": _seat(ann),
        "state_after_us": state.at_us - asked_us,
        "cells": state.data["state"]["cells"],
    }


def _reasons(sim: Simulation) -> list[str]:
    """Why the agent refused, as its own log has it."""
    lines = [str(record.detail["text"]) for record in sim.trace.of_kind("log")]
    return [line.partition("ValueError: ")[2] for line in lines if "State update rejected: " in line]


# -- what is shown


def _shown(facts: dict[str, Any]) -> list[Block]:
    columns = ("who", "what", "the agent", "and in its log", "others who saw it", "own screen")
    rows = [
        (
            one["who"],
            one["what"],
            "refuses" if one["refused"] else "keeps and sends",
            one.get("reason", ""),
            f"{one['seen_by']} of {one['others']}",
            "right" if one["own_screen_right"] else "wrong",
        )
        for one in facts["attempts"]
    ]
    told = sorted({one["refused"] for one in facts["attempts"]} - {""})
    away, end = facts["drop"], facts["end"]
    return [
        table(columns, rows, left=(*columns[1:4], columns[5])),
        Paragraph(
            f"The game ends as {' '.join(end['cells'][n : n + 3] for n in (0, 3, 6))}: {end['winner']} has won, and"
            f" {sum(facts['shown_by_all'])} of {len(facts['shown_by_all'])} screens show it."
        ),
        Heading("a refusal"),
        Paragraph(
            f"A client shows its own change before anybody has agreed, and is told {' or '.join(map(repr, told))}: not"
            " why, and not what the state is. Until the next state comes its screen is wrong, and so is every move that"
            f" is made from it: those of {', '.join(facts['wrong_until_asked'])} were, until they asked, here with a"
            " method `board`. But whoever moves on a board that is no longer the present one is refused too: two at"
            " once cost nobody a mark."
        ),
        Heading("a player drops out"),
        Paragraph(
            f"The others are told that {' and '.join(away['others_told'].values())} is here. An hour later the agent"
            f" has {away['state']} and used {away['gb_s']:g} GB-s. Ann's connection, and its state, were gone with her;"
            f" her seat was in the table, the board {away['cells']} in the agent's state, for its life number"
            f" {away['lives']}. The connections of the others were there all the time, and with them their seats."
        ),
    ]
