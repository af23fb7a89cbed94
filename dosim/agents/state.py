"""The state of an agent: one JSON value in one row, the same for every client.

A change is checked, kept, sent to the clients and then told to the agent, in that order.
Source: npm agents 0.32.0, `state/index.js`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dosim.agents.encoding import to_json
from dosim.agents.errors import SqlError
from dosim.workers.js import console

if TYPE_CHECKING:
    from dosim.agents.agent import Agent

_TABLE = "CREATE TABLE IF NOT EXISTS cf_agents_state (id TEXT PRIMARY KEY NOT NULL, state TEXT)"
_ROW = "cf_state_row_id"
_VERSION_KEY = "cf_agents:state_schema_version"
_VERSION = 1


class _Unset:
    """No state is known in this life; None is a state."""


_UNSET = _Unset()


class State:
    """Reads lazily, keeps in memory, writes at once."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._value: Any = _UNSET
        self._there = False

    async def on_start(self) -> None:
        storage = self._agent.ctx.storage
        if (await storage.get(_VERSION_KEY) or 0) < _VERSION:
            self._ensure_table()
            await storage.put(_VERSION_KEY, _VERSION)
        self._there = True

    def _ensure_table(self) -> None:
        if not self._there:
            self._agent.sql(_TABLE)
            self._there = True

    def get(self) -> Any:
        """The state; the first time ever, `initial_state`, which is then kept and broadcast. None: there is none."""
        if self._value is not _UNSET:
            return self._value
        self._ensure_table()
        rows = self._agent.sql("SELECT state FROM cf_agents_state WHERE id = ?", _ROW)
        if rows:
            try:
                self._value = json.loads(rows[0]["state"])
            except ValueError as error:
                console.error("Failed to parse stored state, falling back to initial_state:", str(error))
                self._agent.sql("DELETE FROM cf_agents_state WHERE id = ?", _ROW)
            else:
                return self._value
        initial = self._agent.initial_state
        if initial is None:
            return None
        value = json.loads(to_json(initial, "initial_state"))  # each agent has a copy of its own
        self.set(value, "server")
        return value

    def has(self) -> bool:
        """Whether there is a state to send."""
        return self.get() is not None or self._value is not _UNSET

    def set(self, value: Any, source: Any) -> None:
        """Check, keep, broadcast, tell. Raises what the check raises, TypeError for what is no JSON, SqlError."""
        self._agent._cf_check_change(value, source)
        self._ensure_table()
        text = to_json(value, "the state")
        try:
            self._agent.sql("INSERT OR REPLACE INTO cf_agents_state (id, state) VALUES (?, ?)", _ROW, text)
        except SqlError as error:
            if "SQLITE_TOOBIG" not in str(error):
                raise
            raise SqlError(
                error.query,
                f"{error.__cause__}. The state is {len(text.encode()):,} bytes of JSON and is kept in one row, which"
                " holds 2 MB at most: keep what grows in a table of your own, with self.sql(...).",
            ) from error
        self._value = value
        self._agent._cf_state_changed(value, source)
