"""The project under other orders, delays and faults: pytest tries some of them, `dosim explore` as many as you like."""

from pathlib import Path

from dosim.testing import simulated
from dosim.testing.invariants import eventually

PROJECT = Path(__file__).parent.parent
PAD = "https://notes.example/team"


def every_note_is_gone(sim):
    return not sim.objects["team"].tables.get("notes")


@simulated(
    project=PROJECT,
    seed=7,
    faults=("evict", "crash", "disk_fails", "alarm_late", "alarm_twice"),
    invariants=[eventually(every_note_is_gone, within="2h")],
    examples=50,
)
async def test_a_note_is_kept_and_goes_in_the_end(sim):
    """Whatever goes wrong: who was told 201 finds the note, and two hours after the last fault no note is left."""
    response = await sim.client("Tokyo").fetch(PAD, method="POST", body="buy milk")
    if response.status == 201:
        assert sim.objects["team"].tables["notes"][0]["text"] == "buy milk"
