"""JSON with comments and trailing commas, as wrangler reads it.

Comments and trailing commas are blanked with spaces, so a position in the plain JSON is a position in the file.
"""

from __future__ import annotations

import json
import re

from dosim.project.errors import ProjectError

#: One piece of JSONC that is not to be touched (a string), or is to be blanked (a comment), or an opened comment.
_PIECE = re.compile(r'"(?:[^"\\\n]|\\.)*"?|//[^\n]*|/\*.*?\*/|/\*', re.DOTALL)
_TRAILING_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"?|,(?=\s*[}\]])')
_CONSTANT = re.compile(r'"(?:[^"\\\n]|\\.)*"?|-?Infinity|NaN')
_NOT_NEWLINE = re.compile(r"[^\n]")


def parse_jsonc(text: str, file: str) -> object:
    """The value written in `text`; `file` names it in errors.

    Raises ProjectError with file, line, column and the offending line.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    plain = _without_trailing_commas(_without_comments(text, file))
    try:
        return json.loads(plain, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _malformed(text, file, error.pos, _explained(plain, error)) from None
    except _NoConstant as error:
        position = next(match.start() for match in _CONSTANT.finditer(plain) if match[0] == str(error))
        raise _malformed(text, file, position, f"{error} is not a JSON value") from None


def malformed(file: str, line_number: int, column: int, line: str, reason: str) -> ProjectError:
    """The error for a configuration file that does not parse. Lines and columns count from 1."""
    return ProjectError(
        f"{file}, line {line_number}, column {column}: {reason}. The line reads `{line.strip()}`; correct it there."
    )


class _NoConstant(ValueError):
    """NaN or Infinity, which json accepts and JSON does not have."""


def _no_constant(name: str) -> object:
    raise _NoConstant(name)


def _without_comments(text: str, file: str) -> str:
    def blank(match: re.Match[str]) -> str:
        piece = match[0]
        if piece.startswith('"'):
            return piece
        if piece == "/*":
            raise _malformed(text, file, match.start(), "this comment is never closed by */")
        return _NOT_NEWLINE.sub(" ", piece)

    return _PIECE.sub(blank, text)


def _without_trailing_commas(text: str) -> str:
    return _TRAILING_COMMA.sub(lambda match: " " if match[0] == "," else match[0], text)


def _explained(plain: str, error: json.JSONDecodeError) -> str:
    reason = error.msg.removesuffix(" at").removesuffix(" starting at")
    if reason.startswith(("Invalid control character", "Unterminated string")) and plain[error.pos] != "\t":
        return "this string is not closed on its line"
    if not plain[error.pos :].strip():
        return f"{reason}, but the file ends here"
    if reason.startswith("Expecting ',' delimiter"):
        return f"{reason} before this place"
    if reason.startswith("Expecting property name"):
        return "Expecting a property name in double quotes"
    return reason


def _malformed(text: str, file: str, position: int, reason: str) -> ProjectError:
    before = text[:position]
    line_number = before.count("\n") + 1
    column = position - (before.rfind("\n") + 1) + 1
    lines = text.split("\n")
    return malformed(file, line_number, column, lines[line_number - 1], reason)
