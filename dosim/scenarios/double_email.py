"""`double-email`: an alarm runs at least once, so what it does can happen twice.

A handler that fails after the e-mail is retried; so is one whose success was not heard, or whose machine went away. The
object cannot know whether the e-mail left. The mail service can, if every reminder has a key.
"""

from __future__ import annotations

from typing import Any, Final

from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation

#: What happens to the alarm's first run.
TROUBLES: Final = ("nothing", "it raises after the send", "its success is not heard", "its machine crashes")
CLASSES: Final = {"CARELESS": "careless", "KEYED": "with a key"}


class MailService:
    """A mail service outside: takes a letter, and sends each key once."""

    def __init__(self) -> None:
        self.asked = 0
        self.sent = 0
        self._keys: set[str] = set()

    def __call__(self, request: Any) -> str:
        self.asked += 1
        key = request.headers.get("Idempotency-Key")
        if key is None or key not in self._keys:
            self.sent += 1
        if key is not None:
            self._keys.add(key)
        return "accepted"


def run(*, seed: int | str = 0) -> Lesson:
    """One reminder in each trouble, careless and with a key; then the alarm that was set too early."""
    worlds, rows, found = [], [], {}
    for trouble in TROUBLES:
        counts = []
        for binding, title in CLASSES.items():
            sim, mail, runs = _reminder(binding, trouble, seed)
            worlds.append(World(f"{title}: {trouble}", sim))
            found[f"{title}: {trouble}"] = {"runs": runs, "asked": mail.asked, "sent": mail.sent}
            counts += [runs, mail.sent]
        rows.append((trouble, *counts))
    early, early_mail, early_runs = _reminder("EARLY", "it raises after the send", seed)
    worlds.append(World("the next alarm set first", early))
    found["early"] = {"runs": early_runs, "asked": early_mail.asked, "sent": early_mail.sent}
    doubled = sum(found[f"careless: {trouble}"]["sent"] > 1 for trouble in TROUBLES)
    claim = (
        f"In {doubled} of {len(TROUBLES) - 1} troubles the careless reminder went out more than once, up to"
        f" {max(found[f'careless: {trouble}']['sent'] for trouble in TROUBLES)} times; with a key it went out once in"
        f" all. An alarm that sets the next one first ran {early_runs} time and sent {early_mail.sent}: its failure was"
        " not retried."
    )
    shown: list[Block] = [
        table(("the first run", "runs", "e-mails", "runs, with a key", "e-mails, with a key"), rows),
        Heading("the alarm that was set too early"),
        Paragraph(
            "setAlarm before a throw replaces the alarm that would have been retried: the reminder waits for the next"
            " month, and nobody is told."
        ),
    ]
    return Lesson("double-email", claim, found, shown, worlds, seed, "", ("double_email",))


def _reminder(binding: str, trouble: str, seed: int | str) -> tuple[Simulation, MailService, int]:
    """One reminder, due in an hour; a day is waited for. How often its handler ran is the third."""
    sim = Simulation.from_project(project("double_email"), seed=seed)
    mail = MailService()
    service = sim.external("https://mail.example", mail, latency="200ms")
    ann = getattr(sim.env, binding).getByName("ann")
    sim.run(ann.remind(3_600_000))
    if trouble == "it raises after the send":
        sim.run(ann.trouble())
    if trouble == "its success is not heard":
        sim.alarm_twice("ann")
    if trouble == "its machine crashes":
        sim.run(until="3600100ms")  # the e-mail is on its way
        while not service.requests and sim.step():
            pass
        sim.crash("ann")
    sim.run(for_="1d")
    runs = [record for record in sim.trace.of_kind("call") if record.detail["via"] == "alarm"]
    return sim, mail, len(runs)
