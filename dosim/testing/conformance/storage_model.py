"""
What the recorded rules promise for a storage case drawn by `random_storage`, written straight from the rules.

Plain dicts and copies of them, no database, no event loop and nothing of dosim's runtime: an independent second
opinion. `expectation` gives the `expect` of a case in the case language, as a recording would.

The rules it is made of: every call acts at call time; the writes of a turn commit or vanish together; a turn ends at
a timer, `sync`, a transaction, a section and the end of the event; a throw undoes nothing outside of transactions; a
transaction puts back everything of the object; a reset loses the open turn and the fields, and fails the event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from dosim.testing.conformance import random_storage as drawn

Json = Any

UNDEFINED = {"$undefined": True}
PROMISE = {"$promise": True}
ABORTED = "Application called abort() to reset Durable Object."
UNCOMMITTED = (
    "Durable Object was reset and rolled back to its last known good state because the application left the database "
    "in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: "
    "SQLITE_CONSTRAINT_FOREIGNKEY)"
)
NO_TABLE = "no such table: t: SQLITE_ERROR"
#: The operations of a txn by the name their error has.
CALLS = {"txn.getAlarm": "getAlarm", "txn.setAlarm": "setAlarm", "txn.deleteAlarm": "deleteAlarm"}


class Thrown(Exception):
    """A JavaScript error on its way: name and message."""

    def __init__(self, message: str, name: str = "Error") -> None:
        super().__init__(message)
        self.name = name

    def shown(self, **flags: bool) -> Json:
        """As the case language writes it."""
        error: dict[str, Json] = {"name": self.name, "message": str(self)}
        return {"error": {**error, "flags": flags} if flags else error}


class Reset(Exception):
    """The object is reset; `error` is what every call under way fails with."""

    def __init__(self, error: Json) -> None:
        super().__init__(error)
        self.error = error


@dataclass(slots=True)
class Store:
    """All that an object has stored: KV, the tables t, p and c, and the alarm (ms after the start)."""

    kv: dict[str, Json] = field(default_factory=dict)
    rows: dict[int, str] | None = None
    parents: set[int] | None = None
    children: list[int] = field(default_factory=list)
    alarm_ms: int | None = None

    def copy(self) -> Store:
        """A copy that later writes leave alone."""
        rows = None if self.rows is None else dict(self.rows)
        parents = None if self.parents is None else set(self.parents)
        return Store(dict(self.kv), rows, parents, list(self.children), self.alarm_ms)

    def orphaned(self) -> bool:
        """Whether a child names no parent: such a turn cannot commit."""
        return not set(self.children) <= (self.parents or set())

    # ------------------------------------------------------------ KV

    def get(self, key: Json) -> Json:
        """One value, or the Map of those that are there, in key order."""
        if isinstance(key, list):
            return {"$map": [[k, self.kv[k]] for k in ordered(set(key)) if k in self.kv]}
        return self.kv.get(key, UNDEFINED)

    def put(self, key: Json, *value: Json) -> Json:
        """One pair, or an object of pairs."""
        self.kv.update(key if isinstance(key, dict) else {key: value[0]})
        return UNDEFINED

    def delete(self, key: Json) -> Json:
        """Whether the key was there, or how many were."""
        if isinstance(key, list):
            return sum(self.kv.pop(k, UNDEFINED) != UNDEFINED for k in set(key))
        return self.kv.pop(key, UNDEFINED) != UNDEFINED

    def pairs(self, options: Json = None) -> list[Json]:
        """The pairs list() gives, in its order."""
        bounds = options or {}
        if "start" in bounds and "startAfter" in bounds:
            raise Thrown("list() cannot be called with both start and startAfter values.", "TypeError")
        if bounds.get("limit", 1) <= 0:
            raise Thrown("List limit must be positive.", "TypeError")
        keys = [k for k in ordered(self.kv) if within(k, bounds)]
        walked = keys[::-1] if bounds.get("reverse") else keys
        return [[k, self.kv[k]] for k in walked[: bounds.get("limit")]]

    # ------------------------------------------------------------ SQL

    def sql(self, query: str, *given: Json) -> list[Json]:
        """The rows of one of the statements of `random_storage`, as dicts."""
        return STATEMENTS[query](self, *given)

    def table(self) -> dict[int, str]:
        """The rows of t; the statement fails where there is none."""
        if self.rows is None:
            raise Thrown(NO_TABLE)
        return self.rows

    def free(self, number: int, text: str) -> None:
        """Refuse an id or a text that another row has."""
        if number in self.table():
            raise Thrown(unique("id", "PRIMARYKEY"))
        self.free_text(number, text)

    def free_text(self, number: int, text: str) -> None:
        if any(v == text and n != number for n, v in self.table().items()):
            raise Thrown(unique("v", "UNIQUE"))


def ordered(keys: Any) -> list[str]:
    """Keys in the order of their UTF-8 bytes."""
    return sorted(keys, key=str.encode)


def within(key: str, bounds: Json) -> bool:
    """Whether list() with these bounds gives the key."""
    text = key.encode()
    return (
        text.startswith(bounds.get("prefix", "").encode())
        and text >= bounds.get("start", "").encode()
        and ("startAfter" not in bounds or text > bounds["startAfter"].encode())
        and ("end" not in bounds or text < bounds["end"].encode())
    )


def unique(column: str, code: str) -> str:
    return f"UNIQUE constraint failed: t.{column}: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_{code})"


# ---------------------------------------------------------------- statements


def create(store: Store) -> list[Json]:
    store.rows = {} if store.rows is None else store.rows
    return []


def insert(store: Store, number: int, text: str) -> list[Json]:
    store.free(number, text)
    store.table()[number] = text
    return []


def insert_or_ignore(store: Store, number: int, text: str) -> list[Json]:
    if number not in store.table() and text not in store.table().values():
        store.table()[number] = text
    return []


def insert_or_replace(store: Store, number: int, text: str) -> list[Json]:
    store.rows = {n: v for n, v in store.table().items() if v != text}
    store.rows[number] = text
    return []


def upsert(store: Store, number: int, text: str) -> list[Json]:
    store.free_text(number, text)
    store.table()[number] = text
    return []


def insert_returning(store: Store, number: int, text: str) -> list[Json]:
    insert(store, number, text)
    return [{"id": number, "v": text}]


def replace_all(store: Store, number: int, text: str) -> list[Json]:
    store.table().clear()
    return insert(store, number, text)


def update(store: Store, text: str, number: int) -> list[Json]:
    if number in store.table():
        store.free_text(number, text)
        store.table()[number] = text
    return []


def delete(store: Store, most: int) -> list[Json]:
    gone = sorted(n for n in store.table() if n <= most)
    store.rows = {n: v for n, v in store.table().items() if n > most}
    return [{"id": n} for n in gone]


def select(store: Store) -> list[Json]:
    return [{"id": n, "v": v} for n, v in sorted(store.table().items())]


def texts(store: Store) -> list[Json]:
    return [{"v": row["v"]} for row in select(store)]


def count(store: Store) -> list[Json]:
    return [{"n": len(store.table())}]


def drop(store: Store) -> list[Json]:
    store.rows = None
    return []


def create_family(store: Store) -> list[Json]:
    store.parents = store.parents or set()
    return []


def add_child(store: Store, parent: int) -> list[Json]:
    store.children.append(parent)
    return []


def add_parent(store: Store, number: int) -> list[Json]:
    store.parents = (store.parents or set()) | {number}
    return []


STATEMENTS: dict[str, Callable[..., list[Json]]] = {
    drawn.TABLE: create,
    **dict(
        zip(
            drawn.ID_AND_TEXT,
            (insert, insert_or_ignore, insert_or_replace, upsert, insert_returning, replace_all),
            strict=True,
        )
    ),
    drawn.UPDATE: update,
    drawn.DELETE: delete,
    drawn.SELECT: select,
    drawn.TEXT_OF: texts,
    drawn.COUNT: count,
    drawn.DROP: drop,
    drawn.FAMILY: create_family,
    drawn.ORPHAN: add_child,
    drawn.PARENT: add_parent,
}


# ---------------------------------------------------------------- the object


@dataclass(slots=True)
class Txn:
    """One open asynchronous transaction: what it goes back to, and whether it did."""

    before: Store
    rolled_back: bool = False


@dataclass(slots=True)
class Model:
    """
    One object through one story.

    `store` is what reads see, `durable` what a reset goes back to; `open` holds the transactions around the running
    code, in which no turn commits; `doomed` says that a commit has failed, `lingering` that a transaction was rolled
    back in this turn, `alive` that there is an instance; `count` is its field.
    """

    case: Json
    store: Store = field(default_factory=Store)
    durable: Store = field(default_factory=Store)
    open: list[Txn] = field(default_factory=list)
    alive: bool = False
    doomed: bool = False
    lingering: bool = False
    count: int = 0
    log: list[Json] = field(default_factory=list)
    cursor: list[Json] = field(default_factory=list)

    # ------------------------------------------------------------ the story

    def story(self) -> list[Json]:
        """The answer to every step."""
        steps = self.case["steps"]
        answers: list[Json] = []
        while len(answers) < len(steps):
            step = steps[len(answers)]
            harness = HARNESS.get(step["op"])
            if harness is not None:
                answers.append(harness(self, step))
                continue
            group: list[Json] = []
            for follower in steps[len(answers) :]:
                if follower["op"] in HARNESS:
                    break
                group.append(follower)
            answers += self.event({"body": group})["body"]
        return answers

    def event(self, step: Json) -> Json:
        """One call into the object: what it recorded and what its caller saw."""
        self.live()
        label = step.get("label")
        self.log.append(f"event {label}" if label else "event")
        out: list[Json] = []
        try:
            seen = self.handler(step, out, label)
            self.turn_ends()
        except Reset as reset:
            self.reset()
            seen = {"error": reset.error}
        return {**seen, "body": out}

    def handler(self, step: Json, out: list[Json], label: str | None) -> Json:
        """The event's body and its end; only a reset is raised."""
        try:
            self.body(step["body"], out, None)
            leave(step.get("end"))
            return {"value": None}
        except Thrown as error:
            return error.shown(remote=True)
        finally:
            if label:
                self.log.append(f"event end {label}")

    def parallel(self, step: Json) -> Json:
        """Calls started together: with nothing but storage in them each runs to its end before the next."""
        answers = [self.event(event) for event in step["events"]]
        return {"value": {"events": answers, "finish_order": [event["label"] for event in step["events"]]}}

    def alarm_wait(self, step: Json) -> Json:
        """The alarm that was set to be due soon; while it runs there is none."""
        self.live()
        self.log.append("alarm")
        self.store.alarm_ms = None
        out: list[Json] = []
        self.body(self.case["object_config"]["alarm"][0]["body"], out, None)
        self.log.append("alarm end")
        self.turn_ends()
        return {"value": {"runs": [{"info": {"retryCount": 0, "isRetry": False}, "body": out, "end": "returned"}]}}

    def restart(self, step: Json) -> Json:
        """The process is killed and started on the same disk."""
        self.reset()
        self.log = []
        return {"value": UNDEFINED}

    def lived(self, step: Json) -> Json:
        return {"value": list(self.log)}

    # ------------------------------------------------------------ turns and lives

    def live(self) -> None:
        """An instance, made when there is none."""
        if not self.alive:
            self.log.append("constructor")
            self.alive, self.count = True, 0

    def reset(self) -> None:
        """Memory and the open turn are lost."""
        self.alive = self.doomed = self.lingering = False
        self.open, self.store = [], self.durable.copy()

    def turn_ends(self) -> None:
        """The writes of the turn commit together, or the object is reset."""
        self.lingering = False
        if self.open:
            return
        if self.doomed or self.store.orphaned():
            raise Reset(Thrown(UNCOMMITTED).shown()["error"])
        self.durable = self.store.copy()

    # ------------------------------------------------------------ bodies

    def body(self, steps: list[Json], out: list[Json], txn: Txn | None) -> None:
        """Run the steps, each answer into `out`; a failing step is recorded and the next one runs."""
        for step in steps:
            nested = NESTED.get(step["op"])
            if nested is not None:
                answer: Json = {"body": []}
                out.append(answer)
                nested(self, step, answer, txn)
                continue
            try:
                out.append({"value": self.step(step, txn)})
            except Thrown as error:
                out.append(error.shown())

    def transaction(self, step: Json, answer: Json, txn: Txn | None) -> None:
        """`storage.transaction`: a section and a savepoint; its end is the end of a turn."""
        self.turn_ends()
        inner = Txn(self.store.copy())
        self.open.append(inner)
        try:
            self.body(step["body"], answer["body"], inner)
            answer["value"] = leave(step.get("end"))
        except Thrown as error:
            self.roll_back(inner)
            answer.update(error.shown())
        self.open.pop()
        self.turn_ends()

    def roll_back(self, txn: Txn) -> None:
        """Back to where the transaction began, once: what is written afterwards stays."""
        if not txn.rolled_back:
            self.store, txn.rolled_back = txn.before.copy(), True

    def transaction_sync(self, step: Json, answer: Json, txn: Txn | None) -> None:
        """`storage.transactionSync`: a savepoint inside the turn."""
        before = self.store.copy()
        try:
            self.body(step["body"], answer["body"], txn)
            answer["value"] = leave(step.get("end"))
        except Thrown as error:
            self.store = before
            answer.update(error.shown())

    def section(self, step: Json, answer: Json, txn: Txn | None) -> None:
        """`blockConcurrencyWhile`: a turn of its own; a throw resets the object."""
        self.turn_ends()
        try:
            self.body(step["body"], answer["body"], txn)
            leave(step.get("end"))
        except Thrown as error:
            raise Reset(error.shown(durableObjectReset=True)["error"]) from error
        self.doomed = self.store.orphaned()  # then the code behind the section runs on, to the end of its turn
        if self.doomed:
            self.store = self.durable.copy()
        self.durable = self.store.copy()
        answer["value"] = UNDEFINED

    # ------------------------------------------------------------ steps

    def step(self, step: Json, txn: Txn | None) -> Json:
        """The value of one step; Thrown when it fails."""
        op, given = step["op"], step.get("args", [])
        if op in OBJECT:
            return OBJECT[op](self, step, *given)
        owner, _, name = op.partition(".")
        if owner == "txn" and txn is not None and txn.rolled_back and name != "rollback":
            raise Thrown(f"Cannot {CALLS.get(op, name)}() on rolled back transaction")
        if op == "txn.rollback" and txn is not None:
            self.roll_back(txn)
            self.lingering = True
            return UNDEFINED
        if name in ("getAlarm", "setAlarm", "deleteAlarm"):
            return OBJECT[f"alarm.{name[:-5]}"](self, step, *given)
        if name == "list":
            pairs = self.store.pairs(*given)
            return pairs if owner == "kvsync" else {"$map": pairs}
        value = getattr(self.store, name)(*given)
        return PROMISE if step.get("await") is False else value

    def read_modify_write(self, step: Json, key: str) -> Json:
        value = self.store.kv.get(key, 0) + 1
        self.store.kv[key] = value
        return value

    def delete_all(self, step: Json) -> Json:
        """At once, and for good: no part of the turn. A transaction that was rolled back counts for its turn still."""
        if self.lingering or not all(txn.rolled_back for txn in self.open):
            raise Thrown("Cannot call deleteAll() within a transaction")
        self.store, self.durable = Store(), Store()
        return UNDEFINED

    def turn(self, step: Json, *given: Json) -> Json:
        self.turn_ends()
        return UNDEFINED

    def increment(self, step: Json) -> Json:
        self.count += 1
        return self.count

    def abort(self, step: Json, *reason: Json) -> NoReturn:
        raise Reset(Thrown(*(reason or (ABORTED,))).shown(durableObjectReset=True)["error"])

    def alarm_get(self, step: Json) -> Json:
        return None if self.store.alarm_ms is None else {"$t": self.store.alarm_ms}

    def alarm_set(self, step: Json, at: Json) -> Json:
        self.store.alarm_ms = at.get("$t", at.get("$now"))
        return UNDEFINED

    def alarm_delete(self, step: Json) -> Json:
        self.store.alarm_ms = None
        return UNDEFINED

    def execute(self, step: Json, *given: Json) -> Json:
        """A cursor; the statement has run."""
        rows = self.store.sql(*given)
        if "as" in step:
            self.cursor = rows
            return {"$handle": step["as"]}
        return {"$js": "Cursor"}

    def all_rows(self, step: Json, *given: Json) -> Json:
        return self.store.sql(*given)

    def raw_rows(self, step: Json, *given: Json) -> Json:
        return [list(row.values()) for row in self.store.sql(*given)]

    def one_row(self, step: Json, *given: Json) -> Json:
        rows = self.store.sql(*given)
        if len(rows) != 1:
            many = "multiple results" if rows else "no results"
            raise Thrown(f"Expected exactly one result from SQL query, but got {many}.")
        return rows[0]

    def next_row(self, step: Json) -> Json:
        if not self.cursor:
            return {"done": True, "value": UNDEFINED}
        return {"done": False, "value": self.cursor.pop(0)}

    def rest(self, step: Json) -> Json:
        rows, self.cursor = self.cursor, []
        return rows

    def column_names(self, step: Json) -> Json:
        return ["id", "v"]


def leave(end: Json) -> Json:
    """The end of a body: its value, or the error it throws."""
    if isinstance(end, dict) and "throw" in end:
        raise Thrown(end["throw"])
    return end["value"] if isinstance(end, dict) and "value" in end else UNDEFINED


HARNESS: dict[str, Callable[[Model, Json], Json]] = {
    "event": Model.event,
    "parallel": Model.parallel,
    "alarm.wait": Model.alarm_wait,
    "restart": Model.restart,
    "log": Model.lived,
}
NESTED: dict[str, Callable[[Model, Json, Json, Txn | None], None]] = {
    "tx.async": Model.transaction,
    "tx.sync": Model.transaction_sync,
    "block": Model.section,
}
OBJECT: dict[str, Callable[..., Json]] = {
    "rmw": Model.read_modify_write,
    "storage.deleteAll": Model.delete_all,
    "storage.sync": Model.turn,
    "sleep": Model.turn,
    "field.incr": Model.increment,
    "ctx.abort": Model.abort,
    "alarm.get": Model.alarm_get,
    "alarm.set": Model.alarm_set,
    "alarm.delete": Model.alarm_delete,
    "sql.exec": Model.execute,
    "sql.all": Model.all_rows,
    "sql.raw": Model.raw_rows,
    "sql.one": Model.one_row,
    "cursor.next": Model.next_row,
    "cursor.toArray": Model.rest,
    "cursor.columnNames": Model.column_names,
}


def expectation(case: Json) -> list[Json]:
    """The `expect` of a case of `random_storage`, as the rules have it."""
    return Model(case).story()
