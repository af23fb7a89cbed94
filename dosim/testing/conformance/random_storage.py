"""
Hypothesis strategies of random storage cases, in the case language of `tests/conformance/storage/FORMAT.md`.

A drawn case has no `expect`: `storage_model.expectation` says what the recorded rules promise, a live runtime what it
does. Only what the rules fix is drawn: no operation that a process without await would run into, no alarm whose
firing depends on the speed of the machine. Keys, texts and ids are few, so that operations meet.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = Any
Steps = st.SearchStrategy[list[Json]]

KEYS = ("a", "b", "aa", "B", "\u00e9", "\U0001f600", "10", "9", "")
TEXTS = ("x", "y", "z")
#: Far enough in the future that no story gets there (ms after its start).
FAR_MS = (3_600_000, 7_200_000)
#: Near enough to be waited for, far enough to be set before it is due (ms).
NEAR_MS = 200

TABLE = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)"
FAMILY = (
    "CREATE TABLE IF NOT EXISTS p (id INTEGER PRIMARY KEY); CREATE TABLE IF NOT EXISTS c (p INTEGER REFERENCES p(id))"
)
INSERT = "INSERT INTO t VALUES (?, ?)"
#: Statements about table t that take an id and a text; `storage_model` knows each by its text.
ID_AND_TEXT = (
    INSERT,
    "INSERT OR IGNORE INTO t VALUES (?, ?)",
    "INSERT OR REPLACE INTO t VALUES (?, ?)",
    "INSERT INTO t VALUES (?, ?) ON CONFLICT(id) DO UPDATE SET v = excluded.v",
    "INSERT INTO t VALUES (?, ?) RETURNING id, v",
    "DELETE FROM t; INSERT INTO t VALUES (?, ?)",
)
UPDATE = "UPDATE t SET v = ? WHERE id = ?"
DELETE = "DELETE FROM t WHERE id <= ? RETURNING id"
SELECT = "SELECT id, v FROM t ORDER BY id"
COUNT = "SELECT count(*) AS n FROM t"
TEXT_OF = "SELECT v FROM t ORDER BY id"
DROP = "DROP TABLE IF EXISTS t"
ORPHAN = "PRAGMA defer_foreign_keys = ON; INSERT INTO c VALUES (?)"
PARENT = "INSERT OR IGNORE INTO p VALUES (?)"

key = st.sampled_from(KEYS)
text = st.sampled_from(TEXTS)
number = st.integers(1, 3)
plain = st.none() | st.booleans() | st.integers(-3, 3) | text | st.sampled_from([0.5, {"$date": 86_400_000}])
value = plain | st.lists(plain, max_size=2) | st.dictionaries(st.sampled_from(["m", "n"]), plain, max_size=2)


def step(op: str, *args: Json, **more: Json) -> Json:
    """One step of a body."""
    return {"op": op, "args": list(args), **more}


def whole(strategy: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """A strategy that counts as one choice: `one_of` would mix the choices of another `one_of` with its own."""
    return st.tuples(strategy).map(lambda drawn: drawn[0])


def one(made: st.SearchStrategy[Json]) -> Steps:
    """The strategy of one step as one of a list of one."""
    return made.map(lambda drawn: [drawn])


def bounds() -> st.SearchStrategy[Json]:
    """Options of list(); both refused ones are among them: start with startAfter, and a limit of 0."""
    return st.fixed_dictionaries(
        {},
        optional={
            "prefix": st.sampled_from(["a", "B", ""]),
            "start": key,
            "startAfter": key,
            "end": key.filter(bool),
            "reverse": st.booleans(),
            "limit": st.integers(0, 3),
        },
    )


def key_value(owner: str, several: bool) -> Steps:
    """get, put, delete and list of `kv`, `kvsync` or `txn`; `several` keys in one call where the API has that."""
    single = [
        st.builds(lambda k: step(f"{owner}.get", k), key),
        st.builds(lambda k, v: step(f"{owner}.put", k, v), key, value),
        st.builds(lambda k, v: step(f"{owner}.put", k, v), key, value),
        st.builds(lambda k: step(f"{owner}.delete", k), key),
        st.builds(lambda o: step(f"{owner}.list", o), bounds()),
    ]
    many = [
        st.builds(lambda ks: step(f"{owner}.get", ks), st.lists(key, max_size=3)),
        st.builds(lambda ks: step(f"{owner}.delete", ks), st.lists(key, max_size=3)),
        st.builds(lambda kv: step(f"{owner}.put", kv), st.dictionaries(st.sampled_from(["a", "b", "aa"]), value)),
    ]
    return one(st.one_of(single + many if several else single))


def sql(orphans: bool) -> Steps:
    """Statements about t, and about the family whose broken foreign key makes a commit fail (`orphans`)."""
    made = [
        st.builds(lambda: [step("sql.exec", TABLE)]),
        st.builds(lambda q, n, v: [step("sql.all", q, n, v)], st.sampled_from(ID_AND_TEXT), number, text),
        st.builds(lambda q, n, v: [step("sql.exec", TABLE), step("sql.all", q, n, v)], st.just(INSERT), number, text),
        st.builds(lambda v, n: [step("sql.all", UPDATE, v, n)], text, number),
        st.builds(lambda n: [step("sql.all", DELETE, n)], number),
        st.builds(lambda op: [step(op, SELECT)], st.sampled_from(["sql.all", "sql.raw"])),
        st.builds(lambda q: [step("sql.one", q)], st.sampled_from([COUNT, TEXT_OF])),
        st.builds(lambda: [step("sql.exec", DROP)]),
        st.builds(cursor),
    ]
    family = [
        st.builds(lambda n: [step("sql.exec", FAMILY), step("sql.exec", ORPHAN, n)], number),
        st.builds(
            lambda n, m: [step("sql.exec", FAMILY), step("sql.exec", ORPHAN, n), step("sql.exec", PARENT, m)],
            number,
            number,
        ),
    ]
    return st.one_of(made + family if orphans else made)


def cursor() -> list[Json]:
    """A cursor read in three ways, to its end."""
    return [
        step("sql.exec", TABLE),
        step("sql.exec", SELECT, **{"as": "cursor"}),
        {"op": "cursor.next", "on": "cursor"},
        {"op": "cursor.columnNames", "on": "cursor"},
        {"op": "cursor.toArray", "on": "cursor"},
        {"op": "cursor.next", "on": "cursor"},
    ]


def alarm(owner: str = "alarm") -> Steps:
    """Alarms that never fire in a story: set, read, delete; of the storage or of a txn."""
    get, put, delete = ("alarm.get", "alarm.set", "alarm.delete") if owner == "alarm" else ALARM_OF_TXN
    return one(
        st.one_of(
            st.just({"op": get, "observe": "t"}),
            st.builds(lambda ms: step(put, {"$t": ms}), st.sampled_from(FAR_MS)),
            st.just({"op": delete}),
        )
    )


ALARM_OF_TXN = ("txn.getAlarm", "txn.setAlarm", "txn.deleteAlarm")


def end(values: bool) -> st.SearchStrategy[Json]:
    """How a body ends: usually well, else a throw; `values` where the callback's value is seen."""
    ways = [st.none(), st.just({"throw": "stop"})]
    return st.one_of([*ways, st.builds(lambda v: {"value": v}, plain)] if values else ways)


def nested(op: str, body: Steps, most: int = 4) -> Steps:
    """A transaction of either kind around a body."""
    steps = st.lists(body, max_size=most).map(flat)
    return one(st.builds(lambda inner, how: {"op": op, "body": inner, "end": how}, steps, end(values=True)))


def flat(parts: list[list[Json]]) -> list[Json]:
    """The steps of all parts."""
    return [item for part in parts for item in part]


def synchronous(depth: int = 2, orphans: bool = True) -> Steps:
    """What a body without await holds."""
    leaves = [whole(key_value("kvsync", several=False)), whole(sql(orphans)), one(st.just({"op": "field.incr"}))]
    if depth:
        leaves.append(nested("tx.sync", synchronous(depth - 1, orphans), 3))
    return st.one_of(leaves)


def transactional(depth: int = 1) -> Steps:
    """What the callback of an asynchronous transaction holds: everything of the object is inside."""
    leaves = [
        whole(key_value("txn", several=True)),
        whole(key_value("kv", several=True)),
        whole(synchronous(1, orphans=False)),
        whole(alarm()),
        whole(alarm("txn")),
        one(st.just({"op": "txn.rollback"})),
        one(st.sampled_from([step("sleep", 0), {"op": "storage.deleteAll"}])),
    ]
    if depth:
        leaves.append(nested("tx.async", transactional(depth - 1), 3))
    return st.one_of(leaves)


def calm(orphans: bool = True) -> Steps:
    """Steps after which the event goes on, without giving up the turn."""
    unawaited = st.builds(lambda k, v: {**step("kv.put", k, v), "await": False}, key, value)
    return st.one_of(
        whole(key_value("kv", several=True)),
        whole(synchronous(2, orphans)),
        whole(alarm()),
        one(unawaited),
        one(st.builds(lambda k: step("rmw", k), st.sampled_from(["n", "m"]))),
        one(st.just({"op": "storage.deleteAll"})),
    )


def lively() -> Steps:
    """Everything a body may hold: also the ends of a turn, transactions, sections, and what resets the object."""
    turns = one(st.sampled_from([step("sleep", 0), {"op": "storage.sync"}]))
    section = st.builds(
        lambda inner, how: [{"op": "block", "body": inner, "end": how}],
        st.lists(calm(), max_size=3).map(flat),
        st.sampled_from([None, None, {"throw": "section"}]),
    )
    abort = one(st.sampled_from([step("ctx.abort"), step("ctx.abort", "over")]))
    transaction = nested("tx.async", transactional(), 5)
    return st.one_of(whole(calm()), whole(calm()), transaction, turns, section, abort)


def body(steps: Steps, most: int = 7) -> st.SearchStrategy[list[Json]]:
    """A body of such steps."""
    return st.lists(steps, min_size=1, max_size=most).map(flat)


def part() -> Steps:
    """One part of a story: an event, calls started together, an alarm that is waited for, or a restart."""
    event = st.builds(lambda steps, how: {"op": "event", "body": steps, "end": how}, body(lively()), end(values=False))
    bodies = st.lists(st.tuples(body(calm(orphans=False), 3), end(values=False)), min_size=2, max_size=3)
    together = bodies.map(
        lambda drawn: {
            "op": "parallel",
            "events": [{"label": f"e{at}", "body": steps, "end": how} for at, (steps, how) in enumerate(drawn)],
        }
    )
    due = st.just([step("alarm.set", {"$now": NEAR_MS}), {"op": "alarm.wait", "count": 1}])
    due_or_restart = due | one(st.just({"op": "restart"}))
    return st.one_of(one(event), one(event), one(event), one(together), whole(due_or_restart))


def storage_cases() -> st.SearchStrategy[Json]:
    """Whole cases: a story of events, then everything that can be read, then the log of the object's life."""
    handler = body(st.one_of(whole(key_value("kv", several=True)), whole(synchronous(1, orphans=False))), 3)
    story = st.lists(part(), min_size=1, max_size=5).map(flat)
    return st.builds(
        lambda steps, run: {
            "id": "random",
            "area": "random",
            "tier": "random",
            "object_config": {"storage": "sqlite", "alarm": [{"body": run}]},
            "steps": [*steps, *reading()],
        },
        story,
        handler,
    )


def reading() -> list[Json]:
    """An event that reads all there is, and the log."""
    return [
        step("kv.list"),
        step("sql.exec", TABLE),
        step("sql.all", SELECT),
        {"op": "alarm.get", "observe": "t"},
        {"op": "field.incr"},
        {"op": "log"},
    ]
