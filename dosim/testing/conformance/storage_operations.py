"""
The operations of the storage format as Python expressions, and what their arguments allow.

`checked_arguments` decides whether a step can be said in Python: what it masks, for which reasons, and whether a
stand-in still runs so that later steps find the same keys and rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dosim.testing.conformance import rules
from dosim.testing.conformance.storage_arguments import Arguments, Json, is_tag

#: Steps of the harness: they end the running event.
HARNESS = frozenset({"event", "parallel", "sleep", "alarm.wait", "log", "restart"})

#: Steps whose result, kept under a name, is recorded as a handle.
HANDLES = frozenset({"sql.exec", "cursor.raw", "kvsync.list"})

#: Object operations that give something to await.
ASYNC = frozenset(
    {"kv.get", "kv.put", "kv.delete", "kv.list", "rmw", "sleep", "await"}
    | {"txn.get", "txn.put", "txn.delete", "txn.list", "txn.getAlarm", "txn.setAlarm", "txn.deleteAlarm"}
    | {"txn.deleteAll", "alarm.get", "alarm.set", "alarm.delete", "storage.sync", "storage.deleteAll"}
    | {"pitr.getCurrentBookmark", "pitr.getBookmarkForTime", "pitr.onNextSessionRestoreBookmark"}
)

#: Operations without a result: None for undefined is no adaptation there.
VOID = frozenset(
    {"kv.put", "kvsync.put", "alarm.set", "alarm.delete", "storage.sync", "storage.deleteAll", "sleep", "let"}
    | {"mutate", "txn.keep", "txn.put", "txn.setAlarm", "txn.deleteAlarm", "txn.deleteAll", "txn.rollback", "ctx.abort"}
)

PUTS = frozenset({"kv.put", "kvsync.put", "txn.put"})
READS = frozenset({"kv.get", "kvsync.get", "txn.get"})
LISTS = frozenset({"kv.list", "kvsync.list", "txn.list"})

#: `{"$js": name}` values that JavaScript refuses to store: the step wrote nothing, so nothing stands in for it.
REFUSED = frozenset({"function", "arrow", "symbol", "promise", "weakmap", "proxy", "object_with_function", "blob"})

Expression = Callable[[Sequence[str], Json, bool], str]


def _method(owner: str) -> Expression:
    return lambda texts, step, txn: f"{owner}({', '.join(texts)})"


def _on(step: Json) -> str:
    return f"CASE.kept[{step['on']!a}]"


def _kept(suffix: str) -> Expression:
    return lambda texts, step, txn: f"{_on(step)}{suffix}"


def _txn(method: str) -> Expression:
    return lambda texts, step, txn: f"settled({'txn' if txn else _on(step)}.{method}({', '.join(texts)}))"


def _sql(suffix: str) -> Expression:
    return lambda texts, step, txn: f"storage.sql.exec({', '.join(texts)}){suffix}"


def _sync_list(texts: Sequence[str], step: Json, txn: bool) -> str:
    call = f"storage.kv.list({', '.join(texts)})"
    return call if step.get("as") is not None else f"list({call})"


def _taken(texts: Sequence[str], step: Json, txn: bool) -> str:
    return f"taken({_on(step)}, {texts[0] if texts else 'None'})"


def _read_modify_write(texts: Sequence[str], step: Json, txn: bool) -> str:
    return f"read_modify_write({'txn' if txn else 'storage'}, {', '.join(texts)})"


#: Operation to expression: arguments as source texts, the step, whether `txn` is in reach.
EXPRESSIONS: dict[str, Expression] = {
    "kv.get": _method("storage.get"),
    "kv.put": _method("storage.put"),
    "kv.delete": _method("storage.delete"),
    "kv.list": _method("storage.list"),
    "kvsync.get": _method("storage.kv.get"),
    "kvsync.put": _method("storage.kv.put"),
    "kvsync.delete": _method("storage.kv.delete"),
    "kvsync.list": _sync_list,
    "txn.get": _txn("get"),
    "txn.put": _txn("put"),
    "txn.delete": _txn("delete"),
    "txn.list": _txn("list"),
    "txn.rollback": lambda texts, step, txn: f"{'txn' if txn else _on(step)}.rollback()",
    "txn.getAlarm": _txn("getAlarm"),
    "txn.setAlarm": _txn("setAlarm"),
    "txn.deleteAlarm": _txn("deleteAlarm"),
    "txn.deleteAll": _txn("deleteAll"),
    "txn.keep": lambda texts, step, txn: f"CASE.kept.update({{{step['as']!a}: txn}})",
    "sql.exec": _sql(""),
    "sql.all": _sql(".toArray()"),
    "sql.one": _sql(".one()"),
    "sql.raw": lambda texts, step, txn: f"list(storage.sql.exec({', '.join(texts)}).raw())",
    "sql.databaseSize": lambda texts, step, txn: "storage.sql._binding.databaseSize",
    "sql.has": lambda texts, step, txn: f"ok_has(storage.sql, {texts[0]})",
    "storage.has": lambda texts, step, txn: f"ok_has(storage, {texts[0]})",
    "cursor.toArray": _kept(".toArray()"),
    "cursor.one": _kept(".one()"),
    "cursor.next": _kept(".next()"),
    "cursor.raw": _kept(".raw()"),
    "cursor.columnNames": lambda texts, step, txn: f"list({_on(step)}.columnNames)",
    "cursor.rowsRead": _kept("._binding.rowsRead"),
    "cursor.rowsWritten": _kept("._binding.rowsWritten"),
    "cursor.iterate": _taken,
    "iter.next": _kept(".next()"),
    "iter.toArray": lambda texts, step, txn: f"list({_on(step)})",
    "alarm.get": _method("storage.getAlarm"),
    "alarm.set": _method("storage.setAlarm"),
    "alarm.delete": _method("storage.deleteAlarm"),
    "storage.sync": _method("storage.sync"),
    "storage.deleteAll": _method("storage.deleteAll"),
    "pitr.getCurrentBookmark": _method("storage.getCurrentBookmark"),
    "pitr.getBookmarkForTime": _method("storage.getBookmarkForTime"),
    "pitr.onNextSessionRestoreBookmark": _method("storage.onNextSessionRestoreBookmark"),
    "ctx.abort": _method("self.ctx.abort"),
    "let": lambda texts, step, txn: f"CASE.kept.update({{{step['as']!a}: {texts[0]}}})",
    "mutate": lambda texts, step, txn: f"{_on(step)}.__setitem__({texts[0]}, {texts[1]})",
    "var": _kept(""),
    "await": lambda texts, step, txn: f"settled({_on(step)})",
    "field.incr": lambda texts, step, txn: "self.incremented()",
    "rmw": _read_modify_write,
    "sleep": _method("js.scheduler.wait"),
}


@dataclass(slots=True)
class Taint:
    """What stand-ins have touched: kept names and keys whose value is not the recorded one."""

    names: dict[str, set[rules.Rule]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    keys: dict[str, set[rules.Rule]] = field(default_factory=dict)


@dataclass(slots=True)
class Checked:
    """A step's arguments as source, the rules used, the reasons to mask it, and whether it still runs."""

    texts: list[str]
    used: set[rules.Rule]
    lost: set[rules.Rule]
    runs: bool = True


def checked_arguments(step: Json, taint: Taint) -> Checked:
    """Write the arguments of one step and update the taint it leaves behind."""
    op = step["op"]
    if op not in EXPRESSIONS:
        raise ValueError(f"unknown operation {op!r} in a storage case: see tests/conformance/storage/FORMAT.md")
    values, used = shaped_arguments(op, list(step.get("args", [])))
    arguments = Arguments(raw=op.startswith("txn."))
    texts = [arguments.expression(value) for value in values]
    checked = Checked(texts, used | arguments.used, set(arguments.lost))
    checked.lost |= construct_reasons(op, step)
    names = arguments.names | ({step["on"]} if "on" in step else set())
    for name in sorted(names):
        checked.lost |= taint.names.get(name, set())
    checked.runs = runs_with_stand_in(op, step, checked.lost) and not names & taint.missing
    if op in ("sql.databaseSize", "cursor.rowsRead", "cursor.rowsWritten"):
        checked.used.add(rules.ATTRIBUTE_CACHE)
    spread_taint(op, step, checked, taint)
    return checked


def shaped_arguments(op: str, values: list[Json]) -> tuple[list[Json], set[rules.Rule]]:
    """Leave undefined out where Python can: a last argument, an entry of put, an option, a key."""
    if op.startswith("txn.") or op in ("let", "mutate", "ctx.abort"):
        return values, set()
    before = list(values)
    keeps = 2 if op in PUTS else 1 if op.startswith(("sql.", "alarm.")) or op in READS else 0
    if not op.startswith("sql."):
        while len(values) > keeps and is_tag(values[-1], "$undefined"):
            values.pop()
    if values and op in READS | PUTS | {"kv.delete", "kvsync.delete", "sql.exec", "sql.all", "sql.one", "sql.raw"}:
        values[0] = "undefined" if is_tag(values[0], "$undefined") else values[0]
    values = [without_undefined(value) if takes_options(op, at) else value for at, value in enumerate(values)]
    return values, {rules.UNDEFINED_LEFT_OUT} if values != before else set()


def takes_options(op: str, at: int) -> bool:
    """Whether argument `at` is an options object or the entries of a put."""
    return (op in PUTS and at in (0, 2)) or (op in READS and at == 1) or (op in LISTS and at == 0) or op in OPTION_ONLY


OPTION_ONLY = frozenset({"storage.deleteAll", "alarm.get", "alarm.delete"})


def without_undefined(value: Json) -> Json:
    """An object without its undefined fields; anything else as it is."""
    if is_tag(value, "$obj"):
        return {"$obj": [[key, item] for key, item in value["$obj"] if not is_tag(item, "$undefined")]}
    if isinstance(value, dict) and not is_tag(value):
        return {key: item for key, item in value.items() if not is_tag(item, "$undefined")}
    return value


def construct_reasons(op: str, step: Json) -> set[rules.Rule]:
    """Reasons that lie in the operation itself."""
    args = step.get("args", [])
    if op in ("cursor.rowsRead", "cursor.rowsWritten"):
        return {rules.SQLITE_COUNTERS}
    if op == "kv.put" and len(args) > 1 and is_tag(args[1], "$undefined") and not is_object(args[0]):
        return {rules.PUT_UNDEFINED}
    if op in PUTS and len(args) == 1 and is_tag(args[0], "$map", "$set"):
        return {rules.MAP_KEYS}
    if op.startswith("sql.") and any(is_tag(value, "$map") for value in args):
        return {rules.MAP_KEYS}
    if op.startswith("sql.") and any(is_tag(value, "$error") and value["$error"]["name"] != "Error" for value in args):
        return {rules.JS_ONLY}
    return set()


def is_object(value: Json) -> bool:
    """Whether JavaScript sees an object in this argument (the entries form of put)."""
    return isinstance(value, dict) and (not is_tag(value) or is_tag(value, "$obj", "$entries", "$instance", "$map"))


def runs_with_stand_in(op: str, step: Json, lost: set[rules.Rule]) -> bool:
    """Whether the step is played although it is masked, so that the rest of the story stays the same."""
    if not lost:
        return True
    if lost & {rules.PUT_UNDEFINED, rules.SQLITE_COUNTERS}:
        return False
    if op in PUTS:
        return not mentions(step.get("args", []), REFUSED) and not is_tag(step["args"][0], "$map", "$set")
    if op.startswith("sql."):
        return not mentions(step.get("args", []), {"symbol"})
    return op in ("let", "mutate", "var", "await") or op in READS | LISTS


def mentions(value: Json, names: frozenset[str] | set[str]) -> bool:
    """Whether a `{"$js": name}` of `names` is anywhere inside."""
    if isinstance(value, list):
        return any(mentions(item, names) for item in value)
    if is_tag(value, "$js"):
        return value["$js"] in names
    return isinstance(value, dict) and any(mentions(item, names) for item in value.values())


def spread_taint(op: str, step: Json, checked: Checked, taint: Taint) -> None:
    """Follow stand-ins into kept names and stored keys, and mask the reads that would show them."""
    args = step.get("args", [])
    if op in PUTS and checked.runs and args:
        for key in put_keys(args[0]):
            taint.keys.pop(key, None)
            if checked.lost:
                taint.keys[key] = set(checked.lost)
    elif op in READS and args:
        for key in args[0] if isinstance(args[0], list) else [args[0]]:
            checked.lost |= taint.keys.get(key, set()) if isinstance(key, str) else set()
    elif op in LISTS and step.get("observe") is None and step.get("as") is None:
        for reasons in taint.keys.values():
            checked.lost |= reasons
    elif op == "storage.deleteAll":
        taint.keys.clear()
    name = step["on"] if op == "mutate" else step.get("as")
    if name is None:
        return
    taint.missing.discard(name)
    if not checked.runs:
        taint.missing.add(name)
    if checked.lost:
        taint.names[name] = set(checked.lost)
    elif op != "mutate":
        taint.names.pop(name, None)


def put_keys(first: Json) -> list[str]:
    """The keys a put writes, as far as the case spells them."""
    if isinstance(first, str):
        return [first]
    if is_tag(first, "$instance"):
        return list(first["$instance"])
    if is_tag(first, "$obj"):
        return [key for key, _ in first["$obj"]]
    return [] if not isinstance(first, dict) or is_tag(first) else list(first)
