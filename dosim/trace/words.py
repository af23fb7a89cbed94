"""Durations and counts in words."""

from __future__ import annotations


def exact(us: int) -> str:
    """A duration to the microsecond, in the largest unit that it fills: "45.000123 s", "5.309 ms", "300 µs"."""
    if us < 1_000:
        return f"{us} µs"
    unit, size, digits = ("s", 1_000_000, 6) if us >= 1_000_000 else ("ms", 1_000, 3)
    return f"{us / size:.{digits}f}".rstrip("0").rstrip(".") + f" {unit}"


def counted(number: int, word: str) -> str:
    """A count with its noun: "1 request", "10 requests"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def last_line(error: object) -> str:
    """The line of an error's text that says what is wrong: of a Python traceback the last one."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else "(no text)"


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]
