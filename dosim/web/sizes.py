"""The size of a value as V8 serialises it, in bytes: what the platform's limits on values are measured against.

Format: v8/src/objects/value-serializer.cc, version 15: a two-byte header, then tagged values. Kept exact for the types
a Python Worker can send; used only where a limit is near, since most values are far smaller.
"""

from __future__ import annotations

from datetime import datetime

from dosim.web.values import StoredError


def serialized_size(value: object) -> int:
    """Bytes of `value` with V8's header."""
    return 2 + _size(value)


def _varint(n: int) -> int:
    return max(1, (n.bit_length() + 6) // 7)


def text_size(text: str) -> int:
    """Bytes of a string with its tag: one a character in Latin-1, else two a UTF-16 unit."""
    if text.isascii() or max(map(ord, text)) < 256:
        return 1 + _varint(len(text)) + len(text)
    size_bytes = 2 * sum(2 if ord(c) > 0xFFFF else 1 for c in text)
    return 1 + _varint(size_bytes) + size_bytes


def _size(value: object) -> int:
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, str):
        return text_size(value)
    if isinstance(value, int):
        return _int_size(value)
    if isinstance(value, (float, datetime)):
        return 9
    if isinstance(value, (bytes, memoryview)):
        n = len(value)
        return 1 + _varint(n) + n + 4 + _varint(n)
    if isinstance(value, dict):
        return 2 + _varint(len(value)) + sum(_size(k) + _size(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return 3 + 2 * _varint(len(value)) + sum(map(_size, value))
    if isinstance(value, set):
        return 2 + _varint(len(value)) + sum(map(_size, value))
    if isinstance(value, (Exception, StoredError)):
        return 6 + text_size(str(getattr(value, "text", value)))
    return 1


def _int_size(value: int) -> int:
    if -(2**30) <= value < 2**30:
        return 1 + _varint(value << 1 if value >= 0 else (-value << 1) - 1)
    if abs(value) < 2**53 - 1:
        return 9
    return 2 + 8 * ((value.bit_length() + 63) // 64)


def may_exceed(value: object, limit_bytes: int) -> bool:
    """False when `value` is certainly smaller than the limit, without measuring it whole."""
    return _weight(value, limit_bytes) >= limit_bytes


def _weight(value: object, limit_bytes: int) -> int:
    """An upper bound that stops growing once it passes the limit."""
    if isinstance(value, (str, bytes, memoryview)):
        return 12 + 2 * len(value)
    total = 16
    if isinstance(value, dict):
        for key, item in value.items():
            total += 12 + 2 * len(key) + _weight(item, limit_bytes)
            if total >= limit_bytes:
                break
    elif isinstance(value, (list, set, tuple)):
        for item in value:
            total += _weight(item, limit_bytes)
            if total >= limit_bytes:
                break
    return total
