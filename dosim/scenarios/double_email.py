"""`double-email`: an alarm runs at least once, so what it does can happen twice.

A handler that fails after the e-mail is retried; so is one whose success was not heard, or whose machine went away. The
object cannot know whether the e-mail left: a mark in storage only chooses between an e-mail too many and one too few.
The mail service can know, if every reminder has a key.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from dosim.bindings.external import ExternalService
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Simulation
from dosim.workers import Response

RAISES: Final = "it raises after the send"
UNHEARD: Final = "its success is not heard"
CRASHES: Final = "its machine crashes"
REFUSED: Final = "the service refuses once"
#: What happens to the alarm's first run.
TROUBLES: Final = ("nothing", RAISES, UNHEARD, CRASHES, REFUSED)
CLASSES: Final = {
    "CARELESS": "careless",
    "MARKED_AFTER": "marked after",
    "MARKED_FIRST": "marked first",
    "KEYED": "with a key",
}
#: The worlds of these are kept.
DRAWN: Final = ("CARELESS", "KEYED", "EARLY")
#: The reminder is due so long after the start.
ALARM_MS: Final = 10_000


class MailService:
    """A mail service outside: refuses the first letters if told, and sends each key once."""

    def __init__(self, refusals: int = 0) -> None:
        self.sent = 0
        self._refusals = refusals
        self._keys: set[str] = set()

    def __call__(self, request: Any) -> Response:
        if self._refusals:
            self._refusals -= 1
            return Response("come back later", status=503)
        key = request.headers.get("Idempotency-Key")
        if key is None or key not in self._keys:
            self.sent += 1
        if key is not None:
            self._keys.add(key)
        return Response("accepted", status=202)


class Found(NamedTuple):
    """How often the handler ran, how often the service was asked, how many e-mails left."""

    runs: int
    asked: int
    sent: int


def run(*, seed: int | str = 0) -> Lesson:
    """One reminder in each trouble, of each class; then the alarm that was set too early."""
    worlds: list[World] = []
    found: dict[str, Found] = {}
    for binding, title in {**CLASSES, "EARLY": "set again too early"}.items():
        for trouble in TROUBLES if binding in CLASSES else (REFUSED,):
            sim, mail, service = _reminder(binding, trouble, seed)
            runs = [record for record in sim.trace.of_kind("call") if record.detail["via"] == "alarm"]
            if binding in DRAWN:
                worlds.append(World(f"{title}: {trouble}", sim))
            found[f"{title}: {trouble}"] = Found(len(runs), len(service.requests), mail.sent)
    sent = {title: [found[f"{title}: {trouble}"].sent for trouble in TROUBLES] for title in CLASSES.values()}
    early = found[f"set again too early: {REFUSED}"]
    exact = [title for title, counts in sent.items() if set(counts) == {1}]
    claim = (
        f"The same reminder in {len(TROUBLES)} situations: the careless alarm sent it up to {max(sent['careless'])}"
        f" times; with a mark set after the send up to {max(sent['marked after'])} times; with a mark set before it"
        f" {min(sent['marked first'])} times when the service refused. Exactly once in all of them: {_listed(exact)}."
    )
    shown: list[Block] = [
        table(
            ("e-mails, if on its first run", *CLASSES.values()),
            [(trouble, *(found[f"{title}: {trouble}"].sent for title in CLASSES.values())) for trouble in TROUBLES],
        ),
        Heading("how often the handler ran"),
        table(
            ("", *CLASSES.values()),
            [(trouble, *(found[f"{title}: {trouble}"].runs for title in CLASSES.values())) for trouble in TROUBLES],
        ),
        Paragraph(
            "A handler that raises every time is retried until the platform gives up, and then the alarm is gone. The"
            f" key does not keep the service from being asked ({found[f'with a key: {RAISES}'].asked} times at most):"
            " the service sees that it knows it."
        ),
        Heading("the alarm that was set again too early"),
        Paragraph(
            "To be safe it sets next month's alarm first, and then sends. The service refuses once: the handler ran"
            f" {_times(early.runs)}, and {early.sent} e-mails left. The careless one ran"
            f" {_times(found[f'careless: {REFUSED}'].runs)} in the same trouble. setAlarm in a handler replaces the"
            f" retries: the next run comes in {_next_alarm(worlds[-1].sim)}. Set the next alarm last."
        ),
    ]
    assumed = "the mail service takes 200 ms, and keeps the keys it has seen."
    facts = {name: one._asdict() for name, one in found.items()}
    return Lesson("double-email", claim, facts, shown, worlds, seed, assumed, ("double_email",))


def _reminder(binding: str, trouble: str, seed: int | str) -> tuple[Simulation, MailService, ExternalService]:
    """One reminder; a day is waited for."""
    sim = Simulation.from_project(project("double_email"), seed=seed, show_output=False)
    mail = MailService(refusals=1 if trouble == REFUSED else 0)
    service = sim.external("https://mail.example", mail, latency="200ms")
    ann = getattr(sim.env, binding).getByName("ann")
    sim.run(ann.remind(ALARM_MS))
    if trouble == RAISES:
        sim.run(ann.trouble())
    if trouble == UNHEARD:
        sim.alarm_twice("ann")
    if trouble == CRASHES:
        sim.run(until=f"{ALARM_MS + 100}ms")  # the e-mail is on its way
        while not service.requests and sim.step():
            pass
        sim.crash("ann")
    sim.run(for_="1d")
    return sim, mail, service


def _next_alarm(sim: Simulation) -> str:
    """How long it is until the alarm that is set."""
    due_us = sim.objects["ann"].alarm_us
    return "no time at all" if due_us is None else f"{(due_us / 1e6 - ALARM_MS / 1e3) / 86_400:.0f} days"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _listed(names: list[str]) -> str:
    return f"the one {' and '.join(names)}" if names else "none"
