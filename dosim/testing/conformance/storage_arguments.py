"""
Arguments of a recorded storage step, from the case format to Python source.

`Arguments` turns tagged JSON into an expression and notes on the way which adaptation rules it needed and for which
reasons a value cannot be said in Python. Such a value gets a stand-in, so that the rest of the story stays the same;
the caller masks what would show the difference.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dosim.testing.conformance import rules

#: Decoded JSON of a case file: its shape is checked by use, as FORMAT.md describes it.
Json: TypeAlias = Any

#: Integers from here on become a BigInt in the SDK; a JavaScript number of that size is written as a float.
BIGINT_FROM = 2**53 - 1

#: Milliseconds since 1970 that a Python datetime can hold (years 1 to 9999).
DATE_RANGE_MS = (-62135596800000, 253402300799999)

#: `{"$js": name}` values: the stand-in expression and the reason, None where Python says it exactly.
JS_VALUES: dict[str, tuple[str, rules.Rule | None]] = {
    "function": ("'function f() {}'", rules.FUNCTION_TEXT),
    "arrow": ("'() => 1'", rules.FUNCTION_TEXT),
    "symbol": ("'Symbol(s)'", rules.SYMBOL),
    "promise": ("'[object Promise]'", rules.JS_ONLY),
    "weakmap": ("'[object WeakMap]'", rules.JS_ONLY),
    "proxy": ("{'a': 1}", rules.JS_ONLY),
    "object_with_function": ("{}", rules.FUNCTION_TEXT),
    "object_with_getter": ("{'a': 42}", rules.JS_ONLY),
    "object_with_symbol_key": ("{'a': 2}", rules.SYMBOL),
    "null_proto": ("{'a': 1}", None),
    "request": ("'[object Request]'", rules.JS_ONLY),
    "headers": ("'[object Headers]'", rules.JS_ONLY),
    "blob": ("'[object Blob]'", rules.JS_ONLY),
    "boxed_number": ("5", rules.JS_ONLY),
    "float64": (ascii(base64.b64decode("AAAAAAAA+D8AAAAAAAAAwA==")), None),
    "dataview": ("b'\\x02\\x03'", None),
}


def is_tag(value: Json, *names: str) -> bool:
    """Whether `value` is a tagged value `{"$name": …}`, of one of `names` when given."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    (key,) = value
    return key in names if names else str(key).startswith("$")


@dataclass(slots=True)
class Arguments:
    """
    Expressions for one step; `raw` writes for a raw JavaScript object (None is undefined, null is `jsnull`).

    After `expression`, `used` holds the rules, `lost` the reasons and `names` the kept names referred to.
    """

    raw: bool = False
    used: set[rules.Rule] = field(default_factory=set)
    lost: set[rules.Rule] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def expression(self, value: Json) -> str:
        """The Python expression for one argument."""
        text = self.value(value)
        if self.raw and (text.startswith(("[", "{", "b'", 'b"', "bytes"))):
            self.used.add(rules.RAW_TRANSACTION)
            return f"plain({text})"
        return text

    def value(self, value: Json) -> str:
        """The Python expression for a value, without the conversion a raw object needs."""
        if value is None:
            return "jsnull" if self.raw else "None"
        if isinstance(value, bool):
            return repr(value)
        if isinstance(value, (int, float)):
            return number(value)
        if isinstance(value, str):
            return ascii(value)
        if isinstance(value, list):
            return "[" + ", ".join(self.element(item) for item in value) + "]"
        if not isinstance(value, dict):
            raise TypeError(f"a case holds JSON values only, not {type(value).__name__}")
        if is_tag(value):
            ((tag, content),) = value.items()
            return self.tagged(tag, content)
        return self.pairs([[key, item] for key, item in value.items()])

    def element(self, value: Json) -> str:
        """A list element; a hole gets None as its stand-in (the recorded value shows the hole and is masked there)."""
        return "None" if is_tag(value, "$hole") else self.value(value)

    def pairs(self, pairs: Json) -> str:
        """A dict display in this order; undefined fields stay, as None."""
        return "{" + ", ".join(f"{str(key)!a}: {self.value(item)}" for key, item in pairs) + "}"

    def tagged(self, tag: str, content: Json) -> str:
        """The expression of `{tag: content}`; an unknown tag is a ValueError that names it."""
        maker = MAKERS.get(tag)
        if maker is None:
            raise ValueError(f"unknown value tag {tag!r} in a storage case: see tests/conformance/storage/FORMAT.md")
        return maker(self, content)

    def needs(self, rule: rules.Rule, text: str) -> str:
        """`text`, noting an adaptation rule."""
        self.used.add(rule)
        return text

    def stands_in(self, reason: rules.Rule, text: str) -> str:
        """`text`, noting that it is only a stand-in."""
        self.lost.add(reason)
        return text


def number(value: float) -> str:
    """A JavaScript number as the Python literal that the SDK turns into the same number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < BIGINT_FROM:
        value = int(value)
    if isinstance(value, int) and abs(value) >= BIGINT_FROM:
        value = float(value)
    return repr(value)


def make_bytes(arguments: Arguments, data: bytes) -> str:
    return arguments.needs(rules.BYTES, ascii(data))


def make_bigint(arguments: Arguments, text: Json) -> str:
    big = int(str(text))
    exact = repr(big) if abs(big) >= BIGINT_FROM else f"JsBigInt({big})"
    return arguments.needs(rules.NUMBER, exact)


def make_date(arguments: Arguments, ms: Json) -> str:
    if not isinstance(ms, (int, float)) or not DATE_RANGE_MS[0] <= ms <= DATE_RANGE_MS[1]:
        return arguments.stands_in(rules.INVALID_DATE, "None")
    return arguments.needs(rules.DATE, f"js.Date.new({ms})" if arguments.raw else f"date({ms})")


def make_date_after_start(arguments: Arguments, ms: Json) -> str:
    at = f"CASE.t0 + {ms}"
    return arguments.needs(rules.DATE, f"js.Date.new({at})" if arguments.raw else f"date({at})")


def is_index(key: Json) -> bool:
    """Whether JavaScript moves this object key to the front (it looks like an array index)."""
    text = str(key)
    return text.isdecimal() and text.isascii() and str(int(text)) == text and int(text) < 2**32 - 1


def make_map(arguments: Arguments, pairs: Json) -> str:
    if not all(isinstance(key, str) and not is_index(key) for key, _ in pairs):
        text = [[json.dumps(key) if not isinstance(key, str) else key, item] for key, item in pairs]
        return arguments.stands_in(rules.MAP_KEYS, arguments.pairs(text))
    return arguments.needs(rules.DICT, arguments.pairs(pairs))


def make_set(arguments: Arguments, items: Json) -> str:
    if any(isinstance(item, list) or (isinstance(item, dict) and not hashable(item)) for item in items):
        return arguments.stands_in(rules.MAP_KEYS, arguments.value(items))
    inside = ", ".join(arguments.value(item) for item in items)
    return arguments.needs(rules.SET, f"{{{inside}}}" if items else "set()")


def hashable(item: Json) -> bool:
    """Whether a tagged Set element becomes something a Python set can hold."""
    return is_tag(item, "$undefined", "$nan", "$inf", "$negzero", "$bigint", "$date", "$bytes", "$t", "$repeat")


def make_error(arguments: Arguments, content: Json) -> str:
    # Only the message survives the SDK, so any of Python's classes does.
    name = "TypeError" if content["name"] == "TypeError" else "Error"
    return arguments.needs(rules.ERROR_VALUE, f"{name}({content['message']!a})")


def make_reference(arguments: Arguments, name: Json) -> str:
    arguments.names.add(str(name))
    return f"CASE.kept[{str(name)!a}]"


def make_undefined(arguments: Arguments, _: Json) -> str:
    return "None" if arguments.raw else arguments.needs(rules.NONE, "None")


def make_js(arguments: Arguments, name: Json) -> str:
    text, reason = JS_VALUES[str(name)]
    if reason is not None:
        return arguments.stands_in(reason, text)
    return arguments.needs(rules.BYTES, text) if text.startswith("b") else text


def make_shared(arguments: Arguments, content: Json) -> str:
    inner = arguments.value(content)
    return arguments.needs(rules.COPIES, f"(lambda one: {{'a': one, 'b': one}})({inner})")


def make_joined(arguments: Arguments, content: Json) -> str:
    text, count, separator = str(content[0]), content[1], str(content[2])
    return f"{separator!a}.join({text!a}.replace('#', str(at)) for at in range({count}))"


def make_keys(arguments: Arguments, content: Json) -> str:
    return f"[{str(content[0])!a} + f'{{at:03}}' for at in range({content[1]})]"


def make_entries(arguments: Arguments, content: Json) -> str:
    inner = arguments.value(content[2])
    return f"{{{str(content[0])!a} + f'{{at:03}}': {inner} for at in range({content[1]})}}"


def _decoded(text: Json) -> bytes:
    return base64.b64decode(str(text))


#: How each tag is written; the content's shape is the format's (FORMAT.md, "Values").
MAKERS: dict[str, Callable[[Arguments, Json], str]] = {
    "$undefined": make_undefined,
    "$nan": lambda arguments, _: "float('nan')",
    "$inf": lambda arguments, sign: "float('inf')" if int(str(sign)) > 0 else "float('-inf')",
    "$negzero": lambda arguments, _: arguments.needs(rules.NUMBER, "-0.0"),
    "$bigint": make_bigint,
    "$date": make_date,
    "$bytes": lambda arguments, text: make_bytes(arguments, _decoded(text)),
    "$arraybuffer": lambda arguments, text: make_bytes(arguments, _decoded(text)),
    "$view": lambda arguments, cut: make_bytes(arguments, _decoded(cut[0])[cut[1] : cut[2]]),
    "$fill": lambda arguments, fill: arguments.needs(rules.BYTES, f"bytes([{fill[0]}]) * {fill[1]}"),
    "$typed": lambda arguments, parts: make_bytes(arguments, _decoded(parts[1])),
    "$boxed": lambda arguments, value: arguments.stands_in(rules.JS_ONLY, arguments.value(value)),
    "$map": make_map,
    "$set": make_set,
    "$obj": lambda arguments, pairs: arguments.pairs(pairs),
    "$regexp": lambda arguments, parts: arguments.stands_in(rules.JS_ONLY, ascii(f"/{parts[0]}/{parts[1]}")),
    "$error": make_error,
    "$ref": make_reference,
    "$t": lambda arguments, ms: f"CASE.t0 + {number(ms)}",
    "$tdate": make_date_after_start,
    "$now": lambda arguments, ms: f"now_ms() + {number(ms)}",
    "$repeat": lambda arguments, parts: f"{str(parts[0])!a} * {parts[1]}",
    "$keys": make_keys,
    "$entries": make_entries,
    "$list": lambda arguments, parts: f"[{arguments.value(parts[0])} for _ in range({parts[1]})]",
    "$join": make_joined,
    "$concat": lambda arguments, parts: "(" + " + ".join(arguments.value(part) for part in parts) + ")",
    "$instance": lambda arguments, fields: arguments.stands_in(rules.CLASS_INSTANCE, arguments.value(fields)),
    "$cyclic": lambda arguments, name: arguments.stands_in(rules.CYCLE, f"{{'name': {name!a}}}"),
    "$shared": make_shared,
    "$js": make_js,
}
