"""Reading SQL text far enough to split it: statements, parameters, the first word. SQLite does everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from sqlite3 import complete_statement

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))"""
    r"""|(?P<string>'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?)"""
    r"""|(?P<parameter>\?\d*|[:@$][\w$]+)"""
    r"""|(?P<end>;)"""
    r"""|(?P<word>[A-Za-z_\x80-\U0010ffff][\w$]*)"""
    r"""|(?P<other>\d[\w.]*|.)""",
    re.DOTALL | re.VERBOSE,
)
_WRITES = frozenset(("INSERT", "UPDATE", "DELETE", "REPLACE"))
#: First words of statements that write nothing. Those that begin or end a transaction are refused before they run.
_READS = frozenset(
    ("SELECT", "VALUES", "PRAGMA", "EXPLAIN", "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE")
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its text, its first word in capitals, how many values it takes, whether it may write."""

    text: str
    word: str
    parameters: int
    writes: bool
    #: ("?1", ":name") for parameters that were numbered: unnamed columns are called by their source text.
    numbered: tuple[tuple[str, str], ...] = ()

    def column_name(self, name: str) -> str:
        for number, parameter in self.numbered:
            name = name.replace(number, parameter)
        return name


@dataclass(frozen=True, slots=True)
class Script:
    """The statements of one `exec`, and whether something that is no statement follows the last one."""

    statements: tuple[Statement, ...]
    empty_tail: bool


def read_script(query: str) -> Script:
    """Split `query` at the semicolons that end a statement; a trigger's body stays whole."""
    statements: list[Statement] = []
    start = 0
    tokens: list[tuple[str, str]] = []
    empty_tail = False
    for match in _TOKEN.finditer(query):
        kind = match.lastgroup or "other"
        if kind == "end":
            text = query[start : match.end()]
            if tokens and not complete_statement(text):
                continue
            if tokens:
                statements.append(_statement(text, tokens))
            elif statements:
                empty_tail = True
            start, tokens = match.end(), []
        elif kind != "blank":
            tokens.append((kind, match.group()))
    tail = query[start:]
    if tokens:
        statements.append(_statement(tail, tokens))
    elif statements and tail.strip():
        empty_tail = True
    return Script(tuple(statements), empty_tail)


def _statement(text: str, tokens: list[tuple[str, str]]) -> Statement:
    words = [token.upper() for kind, token in tokens if kind == "word"]
    word = words[0] if words and tokens[0][0] == "word" else ""
    names = [token for kind, token in tokens if kind == "parameter"]
    text, parameters, numbered = _numbered(text, names)
    writes = word not in _READS and (word != "WITH" or not _WRITES.isdisjoint(words))
    return Statement(text, word, parameters, writes, numbered)


def _numbered(text: str, names: list[str]) -> tuple[str, int, tuple[tuple[str, str], ...]]:
    """The text with named parameters numbered in order of appearance, and the number of values it takes."""
    highest = 0
    numbers: dict[str, int] = {}
    for name in names:
        if name == "?":
            highest += 1
        elif name[0] == "?":
            highest = max(highest, int(name[1:]))
        elif name not in numbers:
            highest += 1
            numbers[name] = highest
    if numbers:
        text = _TOKEN.sub(
            lambda m: f"?{numbers[m.group()]}" if m.lastgroup == "parameter" and m.group() in numbers else m.group(),
            text,
        )
    return text, highest, tuple((f"?{number}", name) for name, number in numbers.items())
