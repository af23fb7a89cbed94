"""JSON with comments and trailing commas: what is read, and where an error is said to be."""

from __future__ import annotations

import pytest

from dosim.project import ProjectError
from dosim.project.jsonc import parse_jsonc


def test_comments_and_trailing_commas_are_not_there() -> None:
    """Line comments, block comments and trailing commas, also one before the other, change no value."""
    text = """// top
    {
      "a": [1, 2, /* two */ ], // end
      /* over
         lines */
      "b": {"c": true, /* , */ // ,
      },
    }
    """

    assert {"a": [1, 2], "b": {"c": True}} == parse_jsonc(text, "wrangler.jsonc")


def test_strings_are_left_alone() -> None:
    """What looks like a comment or a trailing comma inside a string is text."""
    text = r'{"url": "https://x.example/*.js", "odd": "a,]", "quote": "\" // ,}", "end": "\\" /* c */ }'

    assert {
        "url": "https://x.example/*.js",
        "odd": "a,]",
        "quote": '" // ,}',
        "end": "\\",
    } == parse_jsonc(text, "wrangler.jsonc")


def test_a_byte_order_mark_and_windows_lines_are_read() -> None:
    """Files written by Windows editors parse, and their lines count as one each."""
    assert {"a": 1} == parse_jsonc('\ufeff{\r\n  "a": 1, // x\r\n}\r\n', "wrangler.jsonc")
    with pytest.raises(ProjectError, match="line 3, column 3:"):
        parse_jsonc('{\r\n  "a": 1,\r\n  b: 2\r\n}\r\n', "wrangler.jsonc")


@pytest.mark.parametrize(
    ("text", "place", "reason", "line"),
    [
        ('{\n  "a": 1 // one\n  "b": 2\n}', (3, 3), "Expecting ',' delimiter before this place", '"b": 2'),
        ("{\n  /* c */ b: 2\n}", (2, 11), "Expecting a property name in double quotes", "/* c */ b: 2"),
        ('{\n  "a": [1, 2\n', (3, 1), "but the file ends here", ""),
        ('{"a": "x\n}', (1, 9), "this string is not closed on its line", '{"a": "x'),
        ('{\n "a": 1 /* open\n}', (2, 9), "this comment is never closed by \\*/", '"a": 1 /* open'),
        ('{"NaN": "NaN",\n "a": NaN}', (2, 7), "NaN is not a JSON value", '"a": NaN}'),
        ('{"a": "x\ty"}', (1, 9), "Invalid control character", '{"a": "x\ty"}'),
        ('{"a": 1} x', (1, 10), "Extra data", '{"a": 1} x'),
        ('{"a": 1,, "b": 2}', (1, 9), "property name", '{"a": 1,, "b": 2}'),
        ("", (1, 1), "Expecting value, but the file ends here", ""),
    ],
)
def test_an_error_gives_the_place_in_the_file(text: str, place: tuple[int, int], reason: str, line: str) -> None:
    """File, line, column, the reason and the line as the user wrote it, comments included."""
    with pytest.raises(ProjectError, match=reason) as caught:
        parse_jsonc(text, "wrangler.jsonc")

    message = str(caught.value)
    assert message.startswith(f"wrangler.jsonc, line {place[0]}, column {place[1]}")
    assert f"The line reads `{line}`" in message
    assert "\n" not in message
