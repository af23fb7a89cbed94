"""The README shows what the project prints: its program and its tables are run and compared here.

`python tests/test_readme.py` writes the outputs anew.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
CASES = Path(__file__).parent / "conformance"


def program(number: int) -> str:
    """What one of the README's programs prints."""
    programs = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(programs[number], {"__name__": "__main__"})
    return printed.getvalue()


def first_program() -> str:
    """What the README's first program prints."""
    return program(0)


def second_program() -> str:
    """What the README's second program prints."""
    return program(1)


def ten_requests() -> str:
    """The first two tables of `dosim run ten-by-five`."""
    from dosim.scenarios import ten_by_five
    from dosim.scenarios.blocks import plain_text

    result = ten_by_five.run()
    return "\n\n".join(plain_text(result[name].blocks()) for name in ("one-at-a-time", "input-gates")) + "\n"


def conformance() -> str:
    """The counts of `dosim conformance tests/conformance`."""
    from dosim.testing.conformance import report

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert report.main([str(CASES)], False) == 0
    lines = printed.getvalue().splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("format")) :]
    return "\n".join([*table[: table.index("")], table[-1]]) + "\n"


OUTPUTS = {
    "ten-by-five": ten_requests,
    "first program": first_program,
    "second program": second_program,
    "conformance": conformance,
}
_BLOCK = r"(<!-- output: {name} -->\n```text\n)(.*?)(```)"


def shown(name: str) -> str:
    block = re.search(_BLOCK.format(name=name), README.read_text("utf-8"), re.DOTALL)
    assert block is not None
    return block[2]


def test_the_first_program_prints_what_it_shows():
    """The program of the README runs as it stands and prints the block below it."""
    assert first_program() == shown("first program")


def test_the_second_program_prints_what_it_shows():
    """The program with sockets, hibernation, a crash and a bill does too."""
    assert second_program() == shown("second program")


def test_the_tables_are_the_scenario_s():
    """The two tables are the ones that the scenario prints."""
    assert ten_requests() == shown("ten-by-five")


def test_the_conformance_numbers_are_counted():
    """The numbers are those of the runner, today."""
    assert conformance() == shown("conformance")


if __name__ == "__main__":
    text = README.read_text("utf-8")
    for block_name, produce in OUTPUTS.items():
        output = produce()
        text = re.sub(
            _BLOCK.format(name=block_name), lambda m, output=output: m[1] + output + m[3], text, flags=re.DOTALL
        )
    README.write_text(text, "utf-8")
