"""The size of a value as V8 serialises it, in bytes: what the platform's limits on values are measured against.

Format: v8/src/objects/value-serializer.cc, version 15: a two-byte header, then tagged values, integers as varints,
two-byte text aligned to an even offset. Kept exact for the types a Python Worker can send, and checked against the
limits recorded by bisection on workerd 1.20261117.1.
"""

from __future__ import annotations

from datetime import datetime

from dosim.web.values import StoredError, is_index

#: V8's format version tag, which every serialised value begins with.
HEADER_BYTES = 2


def serialized_size(value: object) -> int:
    """Bytes of `value` with V8's header."""
    return _end_of(value, HEADER_BYTES, {})


def row_size(key_bytes: int, value_bytes: int) -> int:
    """Bytes of SQLite's record of a text key and a blob: header length, two serial types, key, value.

    Format: sqlite.org/fileformat2.html, "Record Format".
    """
    return 1 + _varint(13 + 2 * key_bytes) + _varint(12 + 2 * value_bytes) + key_bytes + value_bytes


def _varint(n: int) -> int:
    return max(1, (n.bit_length() + 6) // 7)


def _end_of_text(text: str, start: int) -> int:
    """One byte a character in Latin-1, else two a UTF-16 unit."""
    if text.isascii() or max(map(ord, text)) < 256:
        return start + 1 + _varint(len(text)) + len(text)
    text_bytes = 2 * (len(text) + sum(c > "\uffff" for c in text))
    end = start + 1 + _varint(text_bytes) + text_bytes
    return end + (end & 1)


def _end_of(value: object, start: int, seen: dict[int, int]) -> int:
    """The offset after `value` written at `start`. `seen`: containers already written, and their numbers."""
    if value is None or isinstance(value, bool):
        return start + 1
    if isinstance(value, str):
        return _end_of_text(value, start)
    if isinstance(value, int):
        return start + _int_size(value)
    if isinstance(value, float):
        return start + 9
    number = seen.get(id(value))
    if number is not None:
        return start + 1 + _varint(number)
    seen[id(value)] = len(seen)
    if isinstance(value, datetime):
        return start + 9
    if isinstance(value, (bytes, memoryview)):
        n = len(value)
        return start + 1 + _varint(n) + n + 4 + _varint(n)
    if isinstance(value, dict):
        end = start + 1
        for key, item in value.items():
            end = _end_of(item, _end_of(int(key) if is_index(key) else key, end, seen), seen)
        return end + 1 + _varint(len(value))
    if isinstance(value, (list, tuple)):  # a call's arguments are a tuple
        end = start + 1 + _varint(len(value))
        for item in value:
            end = _end_of(item, end, seen)
        return end + 2 + _varint(len(value))
    if isinstance(value, set):
        end = start + 1
        for item in value:
            end = _end_of(item, end, seen)
        return end + 1 + _varint(len(value))
    if isinstance(value, (Exception, StoredError)):
        return _end_of_text(_error_text(value), start + 6)
    return start + 1


def _error_text(error: Exception | StoredError) -> str:
    return error.text if isinstance(error, StoredError) else str(error)


def _int_size(value: int) -> int:
    if -(2**30) <= value < 2**30:
        return 1 + _varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if abs(value) < 2**53 - 1:
        return 9
    return 2 + 8 * ((value.bit_length() + 63) // 64)


#: Types whose values weigh 16 bytes or less.
_LIGHT = frozenset((bool, float, type(None), datetime))


def may_exceed(value: object, limit_bytes: int) -> bool:
    """False when `value` is certainly smaller than the limit; a bound that stops growing once it passes it."""
    if value is None or isinstance(value, (int, float)):
        return False  # a number that large has no place in memory
    bound_bytes = 0
    seen: set[int] = set()
    left = [value]
    take, more = left.pop, left.extend
    while left:
        item = take()
        kind = type(item)
        bound_bytes += 16
        if kind is str:
            bound_bytes += 2 * len(item)  # type: ignore[arg-type]
        elif kind is int:
            bound_bytes += item.bit_length() >> 3  # type: ignore[attr-defined]
        elif kind in _LIGHT:
            continue
        elif isinstance(item, (dict, list, tuple, set)):
            if id(item) in seen:
                continue
            seen.add(id(item))
            more(item)
            if isinstance(item, dict):
                more(item.values())
        elif isinstance(item, (str, bytes, memoryview)):
            bound_bytes += 2 * len(item)
        elif isinstance(item, (Exception, StoredError)):
            bound_bytes += 2 * len(_error_text(item))
        if bound_bytes >= limit_bytes:
            return True
    return False
