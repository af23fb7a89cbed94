"""
Hypothesis strategies of random concurrency cases, in the language of `tests/conformance/concurrency/LANGUAGE.md`.

Several requests meet at two objects and do what the gates are about: storage, timers, fetches, calls, sections,
transactions that fail, resets. Every operation logs `["begin", n, name, …]` and `["end", n, value]`, a section
`["start", n]` and `["stop", n]`, a handler `["enter"]` and `["leave", value]`: `concurrency_laws` reads no more than
that log. Requests begin at times of their own, so that few events fall on the same millisecond, and after a first one
to each object, whose start takes a real runtime some time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from dosim.testing.conformance.random_storage import whole

Json = Any
Steps = st.SearchStrategy[list[Json]]

#: Delays are multiples of this, and each request starts at an offset of its own in it (ms).
BEAT_MS = 400
OFFSET_MS = 100
#: The strands of a `gather` begin this far apart (ms).
STRAND_MS = 30
#: How much later a delay ends to see whether a program depends on it (ms).
JITTER_MS = (0, 11, 29)

OBJECTS = ("A:x", "B:y")
KEYS = ("a", "b")
BREAK = (
    "create table if not exists p (id integer primary key)",
    "create table if not exists c (p integer references p(id))",
    "pragma defer_foreign_keys = on",
    "insert into c values (42)",
)

key = st.sampled_from(KEYS)
delay = st.integers(0, 2).map(lambda beats: beats * BEAT_MS)


def leaf() -> st.SearchStrategy[Json]:
    """One operation without a program in it: storage, a field, or something that opens the gate."""
    storage = st.one_of(
        st.builds(lambda k: ["get", k], key),
        st.builds(lambda k, v: ["put", k, v], key, st.integers(0, 9)),
        st.builds(lambda k: ["incr", k], key),
        st.builds(lambda k: ["delete", k], key),
        st.just(["mem"]),
        st.just(["tick", 2]),
    )
    outside = st.one_of(
        st.builds(lambda op, ms: [op, ms], st.sampled_from(["wait", "timeout", "ext"]), delay), st.just(["sync"])
    )
    return st.one_of(whole(storage), whole(storage), whole(outside))


def nested(depth: int = 2) -> st.SearchStrategy[Json]:
    """An operation of an object: a leaf, a section or transaction around some, or what goes on side by side."""
    if not depth:
        return leaf()
    inner = st.lists(nested(depth - 1), min_size=1, max_size=3)
    together = st.lists(st.lists(leaf(), min_size=1, max_size=2), min_size=2, max_size=2)
    return st.one_of(
        whole(leaf()),
        whole(leaf()),
        whole(leaf()),
        st.builds(lambda steps: ["block", steps], inner),
        st.builds(lambda steps, undone: ["txn", steps, undone], inner, st.booleans()),
        st.builds(lambda strands: ["gather", strands], together),
        st.builds(lambda one, other: ["sections", one, other], inner, inner),
    )


def handler() -> st.SearchStrategy[list[Json]]:
    """What a request does at its object; the last operation may be one after which nothing of it runs."""
    call = st.builds(lambda steps: ["call", steps], st.lists(nested(1), min_size=1, max_size=2))
    ops = st.lists(st.one_of(whole(nested()), whole(nested()), whole(nested()), call), min_size=1, max_size=4)
    last = st.sampled_from([None, None, None, ["throw"], ["abort"], ["break"]])
    return st.builds(lambda steps, end: steps + ([end] if end else []), ops, last)


def concurrency_cases() -> st.SearchStrategy[Json]:
    """Whole cases: two to four requests, most of them to the same object."""
    request = st.tuples(st.integers(0, 3), st.sampled_from(["A:x", "A:x", "A:x", "B:y"]), handler())
    return st.lists(request, min_size=2, max_size=4).map(written)


def written(requests: list[tuple[int, str, list[Json]]]) -> Json:
    """The case of these requests: (beat of its start, object, operations)."""
    writer = Writer()
    steps: list[Json] = [
        {"req": f"first {target}", "at": index * 2 * OFFSET_MS, "to": target, "do": writer.handler([], "")}
        for index, target in enumerate(OBJECTS)
    ]
    for index, (beat, target, ops) in enumerate(requests):
        req = f"r{index + 1}"
        # Only A calls B: an object never waits for one that waits for it.
        program = writer.handler([op for op in ops if target == "A:x" or op[0] != "call"], req)
        steps.append({"req": req, "at": (beat + 1) * BEAT_MS + index * OFFSET_MS, "to": target, "do": program})
    names = {"id": "random", "area": "random", "tier": "random"}
    return {**names, "order_only": True, "steps": steps, "settle": BEAT_MS, "drawn": requests}


def less(case: Json) -> Iterator[Json]:
    """Cases with less in them than this drawn one: without a request, without an operation, or with what is in one."""
    requests = case["drawn"]
    for at in range(len(requests)):
        if len(requests) > 1:
            yield written(requests[:at] + requests[at + 1 :])
    for at, (beat, target, ops) in enumerate(requests):
        for fewer in less_of(ops):
            yield written([*requests[:at], (beat, target, fewer), *requests[at + 1 :]])


def less_of(ops: list[Json]) -> Iterator[list[Json]]:
    """Lists of operations with less in them."""
    for at, op in enumerate(ops):
        before, after = ops[:at], ops[at + 1 :]
        yield before + after
        programs = [part for part in op[1:] if isinstance(part, list)]
        if op[0] == "gather":
            programs = programs[0]
        for program in programs:
            yield before + program + after
        for place, part in enumerate(op):
            for fewer in less_of(part) if isinstance(part, list) and op[0] != "gather" else ():
                if fewer:
                    yield [*before, [*op[:place], fewer, *op[place + 1 :]], *after]


class Writer:
    """Numbers the operations and writes the logs around them."""

    def __init__(self) -> None:
        self.count = 0

    def handler(self, ops: list[Json], req: str) -> list[Json]:
        """The program of a request or of a nested call: it ends by returning what `a` holds."""
        leave = [["let", "last", ["get", "a"]], ["log", ["leave", {"$var": "last"}]], ["return", {"$var": "last"}]]
        return [["log", ["enter"]], *self.program(ops, req), *leave]

    def program(self, ops: list[Json], req: str) -> list[Json]:
        return [line for op in ops for line in self.operation(op, req)]

    def operation(self, op: Json, req: str) -> list[Json]:
        """One drawn operation as a program."""
        self.count += 1
        n, (name, *args) = self.count, op
        plain = [arg for arg in args if not isinstance(arg, (list, bool))]
        begin = ["log", ["begin", n, name, *plain]]
        end: Json = ["log", ["end", n]]
        if name in ("get", "incr", "delete", "mem"):
            call = ["mem_incr", "m"] if name == "mem" else op
            return [begin, ["let", f"v{n}", call], ["log", ["end", n, {"$var": f"v{n}"}]]]
        if name in ("throw", "abort"):
            return [begin, [name, "over"]]
        if name == "break":
            # The fetch is asked for after the write that can never be committed.
            return [begin, *[["sql", statement] for statement in BREAK], *self.operation(["ext", 0], req)]
        if name == "ext":
            return [begin, ["ext", args[0], str(n)], end]
        if name == "call":
            return [begin, ["call", "B:y", self.handler(args[0], f"{req}.{n}"), f"{req}.{n}"], end]
        if name == "gather":
            strands = [
                [["wait", at * STRAND_MS], *self.program(steps, req)] for at, steps in enumerate(args[0], start=1)
            ]
            return [begin, ["gather", [self.strand(strand) for strand in strands]], end]
        if name == "sections":  # both are asked for in one turn
            return [begin, ["gather", [self.operation(["block", steps], req) for steps in args]], end]
        if name in ("block", "txn"):
            return [begin, *self.section(n, name, args, req), end]
        return [begin, op, end]

    def strand(self, program: list[Json]) -> list[Json]:
        """A strand of a gather: its first wait is an operation like any other."""
        self.count += 1
        (name, ms), *rest = program
        return [["log", ["begin", self.count, name, ms]], [name, ms], ["log", ["end", self.count]], *rest]

    def section(self, n: int, name: str, args: list[Json], req: str) -> list[Json]:
        """A section, or a transaction, which may throw at its end and is caught outside."""
        inside = [["log", ["start", n]], *self.program(args[0], req), ["log", ["stop", n]]]
        if name == "txn" and args[1]:
            return [["try", [["txn", [*inside, ["throw", "undone"]]]], f"e{n}", []]]
        return [[name, inside]]


def jittered(case: Json, by: int) -> Json:
    """The case with every delay and start a few milliseconds longer, each by its own amount."""
    count = by

    def moved(value: Json) -> Json:
        nonlocal count
        if not isinstance(value, list):
            return value
        if value[:1] and value[0] in ("wait", "timeout", "ext") and isinstance(value[1], int):
            return [value[0], value[1] + extra(), *value[2:]]
        return [moved(item) for item in value]

    def extra() -> int:
        nonlocal count
        count += 1
        return JITTER_MS[(count * by) % len(JITTER_MS)]

    steps = [{**step, "at": step["at"] + extra(), "do": moved(step["do"])} for step in case["steps"]]
    return {**case, "steps": steps}
