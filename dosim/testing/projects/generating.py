"""Programs to try: first the plainest of every rule, then random ones; the same seed gives the same programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from random import Random
from typing import Final

from dosim.testing.projects.programs import (
    CLOSE,
    CONNECT,
    EVICT,
    METHODS,
    RESTART,
    SEND,
    SOCKETS,
    WAIT,
    Operation,
    Program,
    Step,
)
from dosim.testing.projects.survey import NAMES, Offer, Survey

#: A program to try, by the rule that it is for.
Candidate = tuple[str, Program]

#: Operations that look at what is left, at the end.
_PROBES: Final = 3
_WAITS: Final = ("61s", "12s", "1h")


def programs(survey: Survey, seed: int) -> Iterator[Candidate]:
    """Without end, unless there is nothing to do."""
    seen: set[str] = set()
    for rule, program in chain(_plain(survey), _random(survey, seed)):
        said = f"{rule}: {program}"
        if said not in seen:
            seen.add(said)
            yield rule, program


# -- the plainest


def _plain(survey: Survey) -> Iterator[Candidate]:
    yield from (("sendable", _program([operation])) for operation in survey.not_sendable)
    families = [_alarms(survey), _twice(survey), _remembered(survey)]
    for row in zip_longest(*families):
        yield from (candidate for candidate in row if candidate is not None)


def _twice(survey: Survey) -> Iterator[Candidate]:
    """Every operation together with itself, and then with every other of the same objects."""
    pairs = [(one, one) for one in survey.offers if _joins(one)]
    for name in survey.class_names:
        pool = [offer for offer in survey.offers if name in offer.reaches and offer.writes and _joins(offer)]
        pairs += [(one, other) for n, one in enumerate(pool) for other in pool[n + 1 :]]
    for one, other in pairs:
        if one.writes or other.writes:
            yield "serial", _looked_at(Program(((one.first(), other.first()),)), survey, one)


def _joins(offer: Offer) -> bool:
    """Whether it may be under way together with others: a socket's messages have no answer of their own."""
    return offer.verb not in SOCKETS


def _remembered(survey: Survey) -> Iterator[Candidate]:
    """Every operation, a pause, and then whatever looks at the same objects."""
    for one in survey.offers:
        looking = [
            other
            for other in survey.offers
            if set(other.reaches) & set(one.reaches) and other.verb not in (SEND, CLOSE)
        ]
        looking.sort(key=lambda other: other.writes)
        for other in looking[:3]:
            for pause in (EVICT, RESTART):
                did = _connected([one.first()])
                yield "survives", Program((*did, (Operation(pause),), (other.first(),)))
                if one.verb == SEND:
                    left = (*did, (Operation(CLOSE, one.first().args[:1]),))
                    yield "survives", Program((*left, (Operation(pause),), (other.first(),)))


def _alarms(survey: Survey) -> Iterator[Candidate]:
    for one in survey.offers:
        if set(one.reaches) & survey.with_alarm:
            steps = tuple(_connected([one.first()]))
            yield "idle", Program(steps)
            yield "alarm", Program(steps)


# -- random ones


def _random(survey: Survey, seed: int) -> Iterator[Candidate]:
    random = Random(f"dosim explore project {seed}")
    pools = [
        pool for name in survey.class_names if (pool := [offer for offer in survey.offers if name in offer.reaches])
    ]
    rules = ["serial", "serial", "survives", "survives"]
    while pools:
        pool = random.choice(pools)
        has_alarm = any(set(offer.reaches) & survey.with_alarm for offer in pool)
        rule = random.choice([*rules, *(["alarm", "idle"] if has_alarm else [])])
        program = _drawn(rule, pool, survey, random)
        if program is not None:
            yield rule, program


def _drawn(rule: str, pool: list[Offer], survey: Survey, random: Random) -> Program | None:
    name = random.choice((NAMES[0], NAMES[0], NAMES[1]))

    def some(count: int, offers: list[Offer]) -> list[Operation]:
        chosen = [random.choice(offers) for _ in range(count)]
        return [offer.draw(random, name if random.random() < 0.9 else random.choice(NAMES)) for offer in chosen]

    before = some(random.choice((0, 1, 1, 2)), pool)
    if rule == "serial":
        joining = [offer for offer in pool if _joins(offer)]
        writing = [offer for offer in joining if offer.writes]
        if not writing:
            return None
        together = some(1, writing) + some(random.choice((1, 1, 1, 2, 2, 3)), joining)
        steps = _connected(before)
        program = Program((*steps, tuple(together)))
        return _looked_at(program, survey, random.choice(writing), random, name)
    steps = [*_connected(before)]
    for operation in some(random.choice((1, 2, 3)), pool):
        if rule == "survives" and random.random() < 0.6:
            steps.append((Operation(random.choice((EVICT, EVICT, RESTART))),))
        elif random.random() < 0.15:
            steps.append((Operation(WAIT, (random.choice(_WAITS),)),))
        steps += _connected([operation], steps)
    if rule == "survives" and not any(step[0].verb in (EVICT, RESTART) for step in steps[1:-1]):
        return None
    return Program(tuple(steps)) if steps else None


# -- parts


def _program(operations: list[Operation]) -> Program:
    return Program(tuple((operation,) for operation in operations))


def _connected(operations: list[Operation], steps: Sequence[Step] = ()) -> list[Step]:
    """Operations as steps; whatever a socket does comes after it was opened, in these steps or those before."""
    known = {operation.args[0] for step in steps for operation in step if operation.verb == CONNECT}
    found: list[Step] = []
    for operation in operations:
        if operation.verb == CONNECT:
            known.add(operation.args[0])
        elif operation.verb in SOCKETS and operation.args[0] not in known:
            known.add(operation.args[0])
            found.append((Operation(CONNECT, operation.args[:1]),))
        found.append((operation,))
    return found


def _looked_at(
    program: Program, survey: Survey, one: Offer, random: Random | None = None, name: str = NAMES[0]
) -> Program:
    """The program with operations at its end that look at what is left."""
    near = [
        offer for offer in survey.offers if set(offer.reaches) & set(one.reaches) and offer.verb not in (SEND, CLOSE)
    ]
    looking = [offer for offer in near if not offer.writes] or [offer for offer in near if _joins(offer)]
    # an object that is called by its name is looked at by its name, one behind a path by a path
    looking.sort(key=lambda offer: (offer.binding != one.binding, offer.verb not in METHODS[:1]))
    probes = [offer.draw(random, name) if random else offer.first() for offer in looking[:_PROBES]]
    return Program((*program.steps, *((probe,) for probe in dict.fromkeys(probes))))
