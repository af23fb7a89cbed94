"""`threads`: a parent that keeps the index, and a child for each thread; against one giant object for all of them.

Listing wakes no child. And fifty people who post in a hundred threads wait for one another only where one object does
all the work: the computing and the call to a service are the same, the waiting is not. What waits is the computing;
while one post awaits the service, the object takes the next.
"""

from __future__ import annotations

import random
from typing import Any, Final, NamedTuple

from dosim.explain import Explanation, Story, explain
from dosim.kernel.durations import duration_text
from dosim.scenarios.blocks import Block, Heading, Paragraph
from dosim.scenarios.lesson import Lesson, World, project, table
from dosim.simulation import Client, Simulation
from dosim.simulation.clients import ClientCall
from dosim.trace.parts import part_of

USERS: Final = 50
THREADS: Final = 100
POSTS: Final = 500
#: Everybody posts once in this time, on average: together 125 posts a second.
THINKING_US: Final = 400_000
CITIES: Final = ("Lyon", "Paris", "Brussels")
CHECK: Final = "40ms"
#: What a latency is made of: its name in `facts`, and in the table.
PARTS: Final = {
    "travelling": "travelling",
    "waiting to begin": "wait to begin",
    "running": "computing",
    "in services": "service",
    "waiting to go on": "wait to go on",
    "in the output gate": "output gate",
}


class Way(NamedTuple):
    """Where the threads live: its name in `facts`, in the tables, and the rule by which an object takes requests."""

    key: str
    title: str
    concurrency: str = "input-gates"


GIANT: Final = Way("giant", "one giant object")
EACH: Final = Way("each", "an object each")
BELIEF: Final = Way("giant_one_at_a_time", "the giant, as believed", "one-at-a-time")


def run(*, seed: int | str = 0) -> Lesson:
    """Make, list and delete threads; then let everybody post, all at once and one after the other, in two ways."""
    worlds = [World(f"ten posts at once: {way.title}", _ten(way, seed)) for way in (GIANT, EACH)]
    steps = _family(seed)
    found: dict[str, Any] = {"family": steps, **{way.key: _measured(way, seed) for way in (BELIEF, GIANT, EACH)}}
    giant, each = found[GIANT.key]["at_once"], found[EACH.key]["at_once"]
    begin, go_on = (giant["mean_us"][part] for part in ("waiting to begin", "waiting to go on"))
    woken = steps["woken_by_listing"] - 1  # all but the parent
    claim = (
        f"{USERS} people post twice at the same instant, in {THREADS} threads: in one giant object the median post"
        f" takes {duration_text(_ms(giant['p50_us']))}, with an object for each thread"
        f" {duration_text(_ms(each['p50_us']))}. {(begin + go_on) / giant['mean_us']['together']:.0%} of the time in"
        " the giant is waiting while others compute. Listing"
        f" {steps['listed']} threads woke {woken or 'none'} of them."
    )
    assumed = (
        f"a post computes for 5 ms and asks a service that takes {CHECK[:-2]} ms, however many ask; who wants the"
        " thread of an object gets it in the order of asking; the people are in three cities near one another."
    )
    return Lesson("threads", claim, found, _shown(found), worlds, seed, assumed, ("threads",))


def _world(seed: int | str, way: Way = EACH) -> Simulation:
    sim = Simulation.from_project(project("threads"), seed=seed, concurrency=way.concurrency)
    sim.external("https://moderation.example", lambda request: "fine", latency=CHECK)
    return sim


def _ms(us: int) -> int:
    """Rounded to milliseconds, still in microseconds."""
    return round(us, -3)


# -- parent and children


def _family(seed: int | str) -> dict[str, int]:
    """Ten threads, a listing after an hour, a deletion, a post to what was deleted."""
    sim = _world(seed)
    ann = sim.client("Lyon")
    numbers = [_asked(sim, ann, "POST", "/acme", f"thread {number}")[1] for number in range(10)]
    _asked(sim, ann, "POST", f"/acme/{numbers[2]}", "hello")
    sim.run(for_="1h")
    awake_before = sum(one.state in ("active", "idle") for one in sim.objects)
    constructed = len(sim.trace.of_kind("construct"))
    listed = len(_asked(sim, ann, "GET", "/acme")[1])
    woken = len(sim.trace.of_kind("construct")) - constructed
    _asked(sim, ann, "DELETE", f"/acme/{numbers[2]}")
    return {
        "awake_after_an_hour": awake_before,
        "listed": listed,
        "woken_by_listing": woken,
        "entries_left_in_the_deleted": len(sim.objects[f"acme/{numbers[2]}"].storage),
        "status_of_a_post_to_the_deleted": _asked(sim, ann, "POST", f"/acme/{numbers[2]}", "hello")[0],
        "listed_afterwards": len(_asked(sim, ann, "GET", "/acme")[1]),
    }


def _asked(sim: Simulation, client: Client, method: str, path: str, body: str | None = None) -> tuple[int, Any]:
    """The status and the data of one request."""
    options: dict[str, Any] = {} if body is None else {"body": body}
    answer = sim.run(client.fetch(f"https://threads.example{path}", method=method, **options))
    return answer.status, sim.run(answer.json())


# -- one object, or many


def _ten(way: Way, seed: int | str) -> Simulation:
    """Ten posts at once in ten threads: small enough to be drawn."""
    sim = _world(seed, way)
    ann = sim.client(CITIES[0])
    _make_threads(sim, ann, 10)
    sim.run(_post(ann, way, 0))  # the giant is awake, too
    sim.run(*(_post(ann, way, thread) for thread in range(10)))
    return sim


def _make_threads(sim: Simulation, client: Client, count: int) -> None:
    """The first request places the workspace; its threads come to live near it."""
    _asked(sim, client, "GET", "/acme")
    workspace = sim.env.WORKSPACE.getByName("acme")
    sim.run(*(workspace.createThread("a thread") for _ in range(count)))


def _measured(way: Way, seed: int | str) -> dict[str, Any]:
    """Latencies of everybody's posts when all threads are awake: at the same instant, and spread over time."""
    sim = _world(seed, way)
    people = [sim.client(CITIES[user % len(CITIES)]) for user in range(USERS)]
    _make_threads(sim, people[0], THREADS)
    sim.run(*(_post(people[thread % USERS], way, thread) for thread in range(THREADS)))  # all are awake
    choose = random.Random(f"threads {seed}")
    loads = {"at_once": [_post(person, way, choose.randrange(THREADS)) for person in people * 2]}
    sim.run(*loads["at_once"])
    if way is not BELIEF:  # which could not keep up
        loads["spread"] = []
        for _ in range(POSTS):
            sim.run(for_=f"{round(choose.expovariate(USERS / THINKING_US))}us")
            loads["spread"].append(_post(choose.choice(people), way, choose.randrange(THREADS)))
        sim.run(*loads["spread"])
    story = Story(sim.trace)
    return {load: _summary(story, calls) for load, calls in loads.items()}


def _post(person: Client, way: Way, thread: int) -> ClientCall:
    path = f"acme/{thread + 1}" if way is EACH else f"giant/acme/{thread + 1}"
    return person.fetch(f"https://threads.example/{path}", method="POST", body="hello")


def _summary(story: Story, calls: list[ClientCall]) -> dict[str, Any]:
    """Median and 99th percentile of the latency, and what it is made of on average, microseconds."""
    latencies_us = sorted(call.latency_us or 0 for call in calls)
    parts = [_parts_us(explain(story.trace, call.request, story=story)) for call in calls]
    mean_us = {part: round(sum(one.get(part, 0) for one in parts) / len(parts)) for part in PARTS}
    return {
        "posts": len(calls),
        "p50_us": latencies_us[len(calls) // 2],
        "p99_us": latencies_us[len(calls) * 99 // 100],
        "mean_us": {**mean_us, "together": round(sum(latencies_us) / len(calls))},
    }


def _parts_us(explanation: Explanation) -> dict[str, int]:
    """Microseconds by part; what is waited for the object counts apart before and after the service."""
    found: dict[str, int] = {}
    asked = False
    for segment in explanation.segments:
        part = part_of(segment.state)
        asked = asked or part == "in services"
        if part in ("waiting in line", "waiting at the input gate"):
            part = "waiting to go on" if asked else "waiting to begin"
        found[part] = found.get(part, 0) + segment.duration_us
    return found


# -- what is shown


def _shown(found: dict[str, Any]) -> list[Block]:
    rows, parts = [], []
    for load, way in (("at_once", GIANT), ("at_once", EACH), ("spread", GIANT), ("spread", EACH), ("at_once", BELIEF)):
        one = found[way.key][load]
        who = (load.replace("_", " "), way.title)
        rows.append((*who, one["posts"], *(_tenths(one[key]) for key in ("p50_us", "p99_us"))))
        parts.append((*who, *(_tenths(one["mean_us"][part]) for part in (*PARTS, "together"))))
    a_second = USERS * 1_000_000 // THINKING_US
    return [
        table(("posts", "in", "how many", "median", "99 of 100"), rows, left=("in",)),
        Heading("what an average post was made of"),
        table(("posts", "in", *PARTS.values(), "together"), parts, left=("in",)),
        Paragraph(
            "An object is one thread: while others compute, you wait, before you begin and once more when the service"
            " has answered and the line is still there. While others await the service you do not: the last row is"
            " the same giant if it took one request at a time, as is believed. Then everybody would wait for the"
            f" service of everybody. Spread: {a_second} posts a second that come by chance,"
            f" {a_second * 5 / 1000:.0%} of what one object can compute. Whom you wait for is decided by what you put"
            " into one object."
        ),
        Heading("parent and children"),
        table(("measured", "number"), [(name.replace("_", " "), value) for name, value in found["family"].items()]),
        Paragraph(
            "Listing woke one object, the parent: what a list shows has to be in the index. A deleted thread has"
            " nothing left, and answers 404 because it looks for what its parent wrote when it was made; it looks"
            " after the wait, since it may be deleted meanwhile."
        ),
    ]


def _tenths(us: int) -> str:
    return f"{us / 1000:,.1f} ms"
