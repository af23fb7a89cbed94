"""What a scenario prints: sentences, tables and code, as plain text, as HTML, or as `rich` draws them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

#: Plain text is wrapped here, whatever the terminal: piped output is the same everywhere.
WIDTH = 120
_CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Heading:
    """A name above what follows."""

    words: str

    def text(self) -> str:
        return f"{self.words}\n{'-' * len(self.words)}"

    def html(self) -> str:
        return f"<h4>{escape(self.words)}</h4>"

    def print_rich(self, console: Console) -> None:
        from rich.rule import Rule

        console.print(Rule(f"[bold]{_plain(self.words)}", align="left"))


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences."""

    words: str

    def text(self) -> str:
        return textwrap.fill(self.words, WIDTH)

    def html(self) -> str:
        words = _CODE.sub(r"<code>\1</code>", escape(self.words))
        return f"<p>{words}</p>"

    def print_rich(self, console: Console) -> None:
        console.print(_plain(self.words))


@dataclass(frozen=True, slots=True)
class Code:
    """Source of user code."""

    source: str

    def text(self) -> str:
        return textwrap.indent(self.source.rstrip(), "    ")

    def html(self) -> str:
        return f"<pre>{escape(self.source)}</pre>"

    def print_rich(self, console: Console) -> None:
        from rich.syntax import Syntax

        console.print(Syntax(self.source.rstrip(), "python", background_color="default"))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under headings; columns named in `right` are set flush right, `wraps` gives way in a terminal."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: frozenset[str] = frozenset()
    wraps: str = ""

    def text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        lines = [self._line(self.columns, widths), "  ".join("-" * width for width in widths)]
        lines += [self._line(row, widths) for row in self.rows]
        return "\n".join(lines)

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        set_cells = [
            f"{cell:>{width}}" if column in self.right else f"{cell:<{width}}"
            for column, cell, width in zip(self.columns, cells, widths, strict=True)
        ]
        return "  ".join(set_cells).rstrip()

    def html(self) -> str:
        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        rows = "".join("<tr>" + "".join(self._cells(row)) + "</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _cells(self, row: Sequence[str]) -> list[str]:
        return [
            f"<td style='text-align:{'right' if column in self.right else 'left'}'>{escape(cell)}</td>"
            for column, cell in zip(self.columns, row, strict=True)
        ]

    def print_rich(self, console: Console) -> None:
        from rich import box
        from rich.table import Table as RichTable

        table = RichTable(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
        for column in self.columns:
            wraps = column == self.wraps
            heading = column if wraps else column.replace(" ", "\n")
            table.add_column(
                heading, justify="right" if column in self.right else "left", no_wrap=not wraps, overflow="fold"
            )
        for row in self.rows:
            table.add_row(*map(_plain, row))
        console.print(table)


Block = Heading | Paragraph | Code | Table


def plain_text(blocks: Sequence[Block]) -> str:
    """All blocks as text, an empty line between them."""
    return "\n\n".join(block.text() for block in blocks)


def html_text(blocks: Sequence[Block]) -> str:
    """All blocks as HTML, for a notebook."""
    return "".join(block.html() for block in blocks)


def _plain(words: str) -> str:
    """Words that `rich` is not to read as markup."""
    return words.replace("[", "\\[")
