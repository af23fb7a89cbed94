"""dosim's docstrings are plain text; this makes of them what Sphinx reads, without a change of words.

A name in backquotes is code, an indented block is a program, and characters that mean something to Sphinx mean
themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

_CODE = re.compile(r"`+([^`]+)`+")
#: Outside code: what reStructuredText would take for emphasis, a substitution, a reference or an escape.
_MEANING = re.compile(r"([\\*|])|(?<=\w)(_)(?=\W|$)")


def rst(lines: Sequence[str]) -> list[str]:
    """The lines of a docstring as reStructuredText."""
    return list(_rst(_whole(lines)))


def _whole(lines: Sequence[str]) -> list[str]:
    """The lines, but that code between backquotes does not go over the end of one."""
    whole: list[str] = []
    for line in lines:
        if whole and line.strip() and whole[-1].count("`") % 2:
            whole[-1] += f" {line.strip()}"
        else:
            whole.append(line)
    return whole


def _rst(lines: Sequence[str]) -> Iterator[str]:
    inside = False
    for number, line in enumerate(lines):
        indented = line.startswith("  ") and bool(line.strip())
        if indented and not inside and (number == 0 or not lines[number - 1].strip()):
            yield "::"
            yield ""
            inside = True
        elif line.strip() and not line.startswith("  "):
            inside = False
        yield line if inside else _words(line.strip() if indented else line)


def _words(line: str) -> str:
    parts = _CODE.split(line)
    return "".join(_code(part) if number % 2 else _MEANING.sub(_escaped, part) for number, part in enumerate(parts))


def _code(text: str) -> str:
    return f"\\ ``{text.strip()}``\\ "


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match.group(1) or match.group(2)}"


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rst(lines)


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True}
