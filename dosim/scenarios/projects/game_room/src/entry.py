import json

from agents import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint

SEATS = ("X", "O")
LINES = ("012", "345", "678", "036", "147", "258", "048", "246")


class GameRoom(Agent):
    initial_state = {"cells": ".........", "turn": "X", "winner": ""}

    async def on_start(self):
        self.sql("CREATE TABLE IF NOT EXISTS seats (seat TEXT PRIMARY KEY, player TEXT UNIQUE)")

    async def get_connection_tags(self, connection, context):
        return ["player" if self.seat_of(connection.id) else "watcher"]

    async def on_connect(self, connection, context):
        connection.set_state({"seat": self.seat_of(connection.id)})  # kept as long as the connection is
        self.tell_who_is_here()

    async def on_close(self, connection, code, reason, was_clean):
        self.tell_who_is_here()

    def validate_state_change(self, next_state, source):
        if source == "server":
            return
        if (source.state or {}).get("seat") != self.state["turn"]:
            raise ValueError(f"it is the turn of {self.state['turn'] or 'nobody'}")
        if next_state not in moves(self.state):
            raise ValueError("that is no move from here")

    @callable
    async def board(self):
        return self.state

    def seat_of(self, player):
        """The seat is the player's for good: whoever is the first to come, and comes again, has it."""
        taken = {row["player"]: row["seat"] for row in self.sql("SELECT player, seat FROM seats")}
        free = [seat for seat in SEATS if seat not in taken.values()]
        if player not in taken and free:
            self.sql("INSERT INTO seats VALUES (?, ?)", free[0], player)
            return free[0]
        return taken.get(player)

    def tell_who_is_here(self):
        players = {connection.state["seat"]: connection.id for connection in self.get_connections("player")}
        watchers = len(list(self.get_connections("watcher")))
        self.broadcast(json.dumps({"type": "here", "players": players, "watchers": watchers}))


def moves(state):
    """Every state that one move leads to."""
    seat, cells = state["turn"], state["cells"]
    for number, cell in enumerate(cells):
        if cell == ".":
            after = cells[:number] + seat + cells[number + 1 :]
            won = any(all(after[int(place)] == seat for place in line) for line in LINES)
            over = won or "." not in after
            yield {
                "cells": after,
                "turn": "" if over else SEATS[seat == SEATS[0]],
                "winner": seat if won else "",
            }


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("Not found", status=404)
