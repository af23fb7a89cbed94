"""Durations, counts and places in words."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Final

#: Units of long stretches, microseconds.
_LONG: Final = (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000))


def exact(us: int) -> str:
    """A duration to the microsecond, in the largest unit that it fills: "45.000123 s", "5.309 ms", "300 µs"."""
    if us < 1_000:
        return f"{us} µs"
    unit, size, digits = ("s", 1_000_000, 6) if us >= 1_000_000 else ("ms", 1_000, 3)
    return f"{us / size:.{digits}f}".rstrip("0").rstrip(".") + f" {unit}"


def counted(number: int, word: str) -> str:
    """A count with its noun: "1 request", "10 requests"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def cut(text: str, most: int) -> str:
    """At most so many letters of a text, with "…" for the rest."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def folded(text: str, width: int, indent: str) -> str:
    """The text with its long lines wrapped between words, and what follows indented."""
    lines = []
    for line in text.split("\n"):
        if len(line) <= width:
            lines.append(line)
        else:
            lines += wrap(
                line, width, subsequent_indent=indent, drop_whitespace=True, break_long_words=False,
                break_on_hyphens=False, replace_whitespace=False,
            )  # fmt: skip
    return "\n".join(lines)


def file_name(file: str) -> str:
    """The name of a source file; of a notebook only that it is a cell."""
    return "a notebook cell" if "ipykernel_" in file or file.startswith("<ipython-input") else Path(file).name


def last_line(error: object) -> str:
    """The line of an error's text that says what is wrong: of a Python traceback the last one."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else "(no text)"


def capital(text: str) -> str:
    """The text with its first letter in upper case, the rest as it is; a URL at its beginning stays one."""
    return text if "://" in text.partition(" ")[0] else text[:1].upper() + text[1:]


def stretch(us: int) -> str:
    """A long time to the microsecond: "30 d", "1 d 6 h", "2 min 5.3 s"; under two minutes as `exact`, none as "0 s"."""
    if us < 0:
        return f"-{stretch(-us)}"
    if us < 120_000_000:
        return exact(us) if us else "0 s"
    said, left = [], us
    for unit, size in _LONG:
        count, left = divmod(left, size)
        if count:
            said.append(f"{count} {unit}")
    return " ".join([*said, *([exact(left)] if left else [])])


def rounded(us: float) -> str:
    """A time to three digits, for a picture: "5.31 ms", "2.5 h", "30 d"."""
    sizes = (*_LONG, ("s", 1_000_000), ("ms", 1_000))
    unit, size = next(
        ((unit, size) for unit, size in sizes if abs(us) >= (2 * size if unit == "min" else size)), ("µs", 1)
    )
    return f"{float(f'{us / size:.3g}'):,.10g} {unit}"
