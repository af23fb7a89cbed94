"""A page cut into its tags, texts and comments, each with the source it was written as."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal

Kind = Literal["start", "end", "text", "comment", "doctype", "other"]

_ATTRIBUTE = re.compile(r"""([^\s/>=][^\s/>=]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s>]*))?""")


@dataclass(slots=True)
class Attribute:
    """An attribute of a tag: its name in lower case, its value as written, and its source while nobody changed it."""

    name: str
    value: str
    source: str | None = None


@dataclass(slots=True)
class Token:
    """One piece of a page. `name`: a tag's, in lower case; `content`: a comment's or a doctype's."""

    kind: Kind
    start: int
    name: str = ""
    content: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    self_closing: bool = False
    source: str = ""


def tokens_of(page: str) -> list[Token]:
    """The tokens of a page; their sources joined are the page."""
    cutter = _Cutter(page)
    cutter.feed(page)
    cutter.close()
    found = cutter.tokens
    if page and (not found or found[0].start):
        found.insert(0, Token("other", 0))
    for token, end in zip(found, [*(token.start for token in found[1:]), len(page)], strict=True):
        token.source = page[token.start : end]
    return found


class _Cutter(HTMLParser):
    """Notes where each token begins."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=False)
        self.tokens: list[Token] = []
        self._lines = [0, *(match.end() for match in re.finditer("\n", page))]

    def _add(self, kind: Kind, name: str = "", content: str = "") -> Token:
        line, column = self.getpos()
        token = Token(kind, self._lines[line - 1] + column, name, content)
        self.tokens.append(token)
        return token

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        source = self.get_starttag_text() or ""
        token = self._add("start", tag)
        inner = source.removeprefix("<")[len(tag) :].removesuffix(">")
        token.self_closing = inner.endswith("/")
        for match in _ATTRIBUTE.finditer(inner):
            value = match[2] or ""
            quoted = value[:1] in ("'", '"')
            token.attributes.append(Attribute(match[1].lower(), value[1:-1] if quoted else value, match[0]))

    def handle_endtag(self, tag: str) -> None:
        self._add("end", tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if not self.tokens or self.tokens[-1].kind != "text":
            self._add("text")

    def handle_entityref(self, name: str) -> None:
        self.handle_data(name)

    handle_charref = handle_entityref

    def handle_comment(self, data: str) -> None:
        self._add("comment", content=data)

    def handle_decl(self, decl: str) -> None:
        self._add("doctype" if decl[:7].lower() == "doctype" else "other", content=decl)

    def unknown_decl(self, data: str) -> None:
        self._add("other", content=data)

    handle_pi = unknown_decl
