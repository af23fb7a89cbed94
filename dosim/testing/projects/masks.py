"""What answers have in common with each other however they vary: times, ids and random parts are masked.

Some parts are known by their looks (a UUID, a moment near the simulated present). Others are learnt: the same program
is run with another seed, another day and other pauses, and what differs there is compared nowhere.
"""

from __future__ import annotations

import re
from typing import Any, Final

from dosim.platform.facts import EPOCH_MS

MASK: Final = "~"
#: A path in an answer: keys of dicts, and "*" for any place of a list.
Path = tuple[str, ...]

_YEAR_MS: Final = 365 * 86_400_000
_EARLIEST_MS: Final = EPOCH_MS - _YEAR_MS
_LATEST_MS: Final = EPOCH_MS + 10 * _YEAR_MS
_LOOKS: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\b[0-9a-f]{32,64}\b"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?"
    r"|\b\d{2}:\d{2}:\d{2}(\.\d+)?"
    r"|\b1[5-9]\d{8}(\d{3})?(\.\d+)?\b|\b2[01]\d{8}(\d{3})?(\.\d+)?\b"
)


def differences(one: Any, other: Any, path: Path = ()) -> set[Path]:
    """The paths at which two answers are not the same."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return set().union(*(differences(one[key], other[key], (*path, str(key))) for key in one))
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return set().union(*(differences(a, b, (*path, "*")) for a, b in zip(one, other, strict=True)))
    return set() if same(one, other) else {path}


def same(one: Any, other: Any) -> bool:
    """Whether two values look alike; True and 1 do not."""
    return bool(canonical(one, frozenset()) == canonical(other, frozenset()))


def canonical(value: Any, masks: frozenset[Path], path: Path = (), *, ordered: bool = True) -> Any:
    """The answer as something that can be compared and hashed, with what varies masked.

    ordered: whether the order in lists, and of lines of a text, counts.
    """
    if path in masks:
        return MASK
    if isinstance(value, dict):
        items = ((str(key), canonical(item, masks, (*path, str(key)), ordered=ordered)) for key, item in value.items())
        return ("dict", tuple(sorted(items, key=repr)))
    if isinstance(value, (list, tuple)):
        listed = [canonical(item, masks, (*path, "*"), ordered=ordered) for item in value]
        return ("list", tuple(listed if ordered else sorted(listed, key=repr)))
    if isinstance(value, str):
        text = _LOOKS.sub(MASK, value)
        return text if ordered else "\n".join(sorted(text.split("\n")))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_moment(value):
        return MASK
    return (type(value).__name__, value)


def _is_moment(number: float) -> bool:
    return _EARLIEST_MS <= number <= _LATEST_MS or _EARLIEST_MS <= number * 1000 <= _LATEST_MS
