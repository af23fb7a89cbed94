"""`sim.objects`: looking at objects changes nothing."""

from __future__ import annotations

from typing import Any

from dosim import Simulation
from dosim.platform.facts import TABLE, Platform
from dosim.workers import DurableObject


class Ledger(DurableObject):
    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.seen = 0

    async def enter(self, amount: int) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, amount)")
        self.ctx.storage.sql.exec("INSERT INTO entry (amount) VALUES (?)", amount)

    async def note(self, words: list[str]) -> None:
        await self.ctx.storage.put("words", words)

    async def words(self) -> Any:
        return await self.ctx.storage.get("words")


def test_sql_tables_are_shown_with_their_rows() -> None:
    """`tables` has what user code made, `storage` the key-value entries; the platform's own tables are in neither."""
    sim = Simulation(durable_objects={"LEDGER": Ledger}, network=None)
    ledger = sim.env.LEDGER.getByName("a")
    for amount in (5, 7):
        sim.run(ledger.enter(amount))
    view = sim.objects["a"]

    assert view.tables == {"entry": [{"id": 1, "amount": 5}, {"id": 2, "amount": 7}]}
    assert "entry: 2 rows" in view.row()
    assert view.storage == {}
    sim.run(ledger.note(["one"]))
    assert (view.storage, list(view.tables)) == ({"words": ["one"]}, ["entry"])
    assert "{'words': ['one']}; entry: 2 rows" in view.row()


def test_looking_is_not_touching() -> None:
    """What is handed out are copies, and an object out of memory stays packed."""
    sim = Simulation(durable_objects={"LEDGER": Ledger}, network=None)
    ledger = sim.env.LEDGER.getByName("a")
    sim.run(ledger.note(["one"]))
    sim.run(for_="11s")
    host = sim.objects.host("a")
    packed = host._disk
    sim.objects["a"].storage["words"].append("two")
    repr(sim), sim._repr_html_()

    assert isinstance(packed, bytes)
    assert host._disk is packed
    assert sim.run(ledger.words()) == ["one"]


def test_every_difference_between_the_platforms_says_how_it_is_known() -> None:
    """The table of the two platforms has a row for each number, and each row its two sources."""
    fields = [name for name in Platform.__dataclass_fields__ if name != "name"]

    assert list(TABLE) == fields
    assert all(
        how.split(":")[0].split()[0] in ("documented", "recorded", "assumed")
        for _, *hows in TABLE.values()
        for how in hows
    )
