"""Words that stories are told in."""

from __future__ import annotations

import pytest

from dosim.trace.words import file_name, folded


def test_only_long_lines_are_folded() -> None:
    """
    A line that fits stays as it is, blanks included; a longer one goes on below, indented; a long word stays whole.
    """
    text = "  1. one two\nthree four five six\n\nhttps://long.example/which-is-one-word"

    assert "  1. one two\nthree four\n  five six\n\nhttps://long.example/which-is-one-word" == folded(text, 13, "  ")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/home/ann/app/src/entry.py", "entry.py"),
        ("/tmp/ipykernel_12/362613980.py", "a notebook cell"),
        ("<ipython-input-3-abc>", "a notebook cell"),
    ],
)
def test_a_cell_is_called_a_cell(file: str, name: str) -> None:
    """
    What a kernel calls the file of a cell is a number that nobody can look up.
    """
    assert name == file_name(file)
