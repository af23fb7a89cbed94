"""
Recorded JavaScript values and recorded Python values in one canonical form, so that `==` compares them.

Canonical: None, bool, int or float, str, list, and one-key dicts for the rest: `{"dict": [[key, value], …]}`,
`{"bytes": base64}`, `{"date": ms}`, `{"set": [sorted]}`, `{"error": message}`, `{"promise": …}` and so on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from dosim.testing.conformance import rules
from dosim.testing.conformance.storage_arguments import BIGINT_FROM, DATE_RANGE_MS, Json, is_tag

#: JavaScript type name to the prelude's type name (`observe: "type"`).
TYPE_NAMES: dict[str, str] = {
    "null": "NoneType",
    "undefined": "NoneType",
    "boolean": "bool",
    "number": "number",
    "bigint": "bigint",
    "string": "str",
    "function": "function",
    "Object": "dict",
    "Map": "dict",
    "Array": "list",
    "Set": "set",
    "Date": "datetime",
    "Uint8Array": "bytes",
    "ArrayBuffer": "bytes",
    "DataView": "bytes",
    "Float64Array": "bytes",
    "Error": "Exception",
    "TypeError": "Exception",
    "RangeError": "Exception",
}

OFFSET = re.compile(r" at offset \d+")
REFERENCE = re.compile(r"internal error; reference = \S+")


class Expected:
    """
    The canonical form of one recorded value.

    `used` collects the adaptation rules its constructs need, `lost` the reasons why part of it has no Python value
    (the step is masked then).
    """

    def __init__(self) -> None:
        self.used: set[rules.Rule] = set()
        self.lost: set[rules.Rule] = set()

    def value(self, value: Json, root: Json = None, path: tuple[str, ...] = ()) -> Json:
        """Canonical form; `root` is the whole value (for `$same`)."""
        root = value if root is None else root
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (int, float)):
            return value if abs(value) < BIGINT_FROM else float(value)  # JavaScript prints the shortest digits
        if isinstance(value, list):
            return [self.value(item, root, path) for item in value]
        if not is_tag(value):
            return {"dict": [[key, self.value(item, root, path)] for key, item in value.items()]}
        ((tag, content),) = value.items()
        handler = TAGS.get(tag)
        if handler is not None:
            return handler(self, content)
        if tag == "$map":
            return self.map(content, root, path)
        if tag == "$obj":
            return {"dict": [[key, self.value(item, root, path)] for key, item in content]}
        if tag == "$set":
            return self.set(content, root, path)
        if tag == "$same":
            return self.same(content, root, path)
        raise ValueError(f"unknown value tag {tag!r} in a recorded result: see tests/conformance/storage/FORMAT.md")

    def map(self, pairs: Json, root: Json, path: tuple[str, ...]) -> Json:
        """A Map: a dict when its keys are texts."""
        self.used.add(rules.DICT)
        if not all(isinstance(key, str) for key, _ in pairs):
            self.lost.add(rules.MAP_KEYS)
        return {"dict": [[key, self.value(item, root, path)] for key, item in pairs]}

    def set(self, items: Json, root: Json, path: tuple[str, ...]) -> Json:
        """A Set, sorted by its canonical text."""
        self.used.add(rules.SET)
        if any(isinstance(item, list) or (isinstance(item, dict) and not is_tag(item)) for item in items):
            self.lost.add(rules.MAP_KEYS)
        return {"set": sorted((self.value(item, root, path) for item in items), key=json.dumps)}

    def same(self, target: str, root: Json, path: tuple[str, ...]) -> Json:
        """A second reference to one object: an equal copy, or a cycle."""
        if target == "$" or target in path:
            self.lost.add(rules.CYCLE)
            return {"same": target}
        self.used.add(rules.COPIES)
        try:
            found = at_path(root, target)
        except (KeyError, IndexError, ValueError):
            self.lost.add(rules.CYCLE)
            return {"same": target}
        return self.value(found, root, (*path, target))

    def number(self, value: Json) -> Json:
        self.used.add(rules.NUMBER)
        return value

    def buffer(self, text: str) -> Json:
        self.used.add(rules.BYTES)
        return {"bytes": text}

    def date(self, ms: Json) -> Json:
        self.used.add(rules.DATE)
        if ms is None or not DATE_RANGE_MS[0] <= ms <= DATE_RANGE_MS[1]:
            self.lost.add(rules.INVALID_DATE)
        return {"date": ms}

    def error(self, content: Json) -> Json:
        self.used.add(rules.ERROR_VALUE)
        return {"error": content["message"]}

    def none(self) -> Json:
        self.used.add(rules.NONE)
        return None

    def without(self, reason: rules.Rule) -> Json:
        self.lost.add(reason)
        return {"lost": reason.title}

    def js(self, name: str) -> Json:
        """A class or value named only: cursors are compared by name, the rest has no Python value."""
        return {"js": name} if name in ("Cursor", "function") else self.without(rules.JS_ONLY)


TAGS: dict[str, Callable[[Expected, Json], Json]] = {
    "$undefined": lambda canon, content: canon.none(),
    "$nan": lambda canon, content: {"nan": True},
    "$inf": lambda canon, sign: {"inf": sign},
    "$negzero": lambda canon, content: canon.number(0),
    "$bigint": lambda canon, text: canon.number(int(text)),
    "$date": lambda canon, ms: canon.date(ms),
    "$bytes": lambda canon, text: canon.buffer(text),
    "$arraybuffer": lambda canon, text: canon.buffer(text),
    "$typed": lambda canon, parts: canon.buffer(parts[1]),
    "$longbytes": lambda canon, size: {"longbytes": size},
    "$long": lambda canon, parts: {"long": parts},
    "$regexp": lambda canon, parts: canon.without(rules.JS_ONLY),
    "$boxed": lambda canon, content: canon.without(rules.JS_ONLY),
    "$hole": lambda canon, content: canon.without(rules.HOLE),
    "$error": lambda canon, content: canon.error(content),
    "$promise": lambda canon, content: {"promise": True},
    "$handle": lambda canon, name: {"handle": name},
    "$js": lambda canon, name: canon.js(name),
    "$t": lambda canon, ms: {"t": ms},
}


def at_path(root: Json, target: str) -> Json:
    """The recorded value at a `$same` path (`$.a[1].k0`); KeyError, IndexError or ValueError where it leads nowhere."""
    value = root
    for key, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", target):
        if index:
            value = value[int(index)]
        elif is_tag(value, "$map"):
            value = value["$map"][int(key[1:])][0 if key[0] == "k" else 1]
        elif is_tag(value, "$set"):
            value = value["$set"][int(key[1:])]
        elif is_tag(value, "$obj"):
            value = dict(value["$obj"])[key]
        else:
            value = value[key]
    return value


def got_value(value: Json) -> Json:
    """The canonical form of a value recorded by the prelude's `encode`."""
    if value is None or isinstance(value, (bool, str, int, float)):
        return value
    if isinstance(value, list):
        return [got_value(item) for item in value]
    ((tag, content),) = value.items()
    if tag == "$obj":
        return {"dict": [[key, got_value(item)] for key, item in content]}
    if tag == "$set":
        return {"set": sorted((got_value(item) for item in content), key=json.dumps)}
    if tag == "$bigint":
        return int(content)
    if tag == "$error":
        return {"error": content["message"].removeprefix("Error: ")}
    return {tag[1:]: content}


def message_text(text: str) -> str:
    """A message without the parts that are not compared."""
    return REFERENCE.sub("internal error; reference = <id>", OFFSET.sub("", text))


def same_value(expected: Json, got: Json) -> bool:
    """Equality of canonical values: numbers by value, booleans only with booleans, dicts with their order."""
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    if isinstance(expected, (int, float)) and isinstance(got, (int, float)):
        return expected == got
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(same_value, expected, got))
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(same_value(expected[key], got[key]) for key in expected)
    return bool(expected == got)
