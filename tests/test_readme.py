"""The README shows what the project prints: its program and its tables are run and compared here.

`python tests/test_readme.py` writes the outputs anew.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
CASES = Path(__file__).parent / "conformance"


def program(number: int) -> str:
    """What one of the README's programs prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(_programs()[number], {"__name__": "__main__"})
    return printed.getvalue()


def _programs() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def first_program() -> str:
    """What the README's first program prints."""
    return program(0)


def second_program() -> str:
    """What the README's second program prints."""
    return program(1)


def explored() -> str:
    """What `dosim explore` prints of the README's third program, with most rows of its lanes left out."""
    from dosim import cli

    test = _programs()[2]
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(printed):
        Path("test_counter.py").write_text(test, "utf-8")
        assert 1 == cli.main(["explore", "test_counter.py"])
    lines = printed.getvalue().rstrip().splitlines()
    first = next(number for number, line in enumerate(lines) if line.lstrip().startswith("time ")) + 1
    end = lines.index("", first)
    shown = [number for number in range(first, end) if " get n" in lines[number] or " put n" in lines[number]]
    left_out = f"{'':14}(… {end - first - len(shown)} lines more: who calls, waits, goes on)"
    kept = [*lines[:first], *(lines[number] for number in shown), left_out, *lines[end:-1]]
    return "\n".join(line.rstrip() for line in kept) + "\n"


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
    "explored": explored,
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


def test_the_story_is_the_one_that_explore_prints():
    """The third program passes as a plain test; the story below it is the one that is found, shortened."""
    names: dict[str, object] = {}
    exec(_programs()[2], names)
    names["test_both_are_counted"]()  # type: ignore[operator]

    assert explored() == shown("explored")


def test_the_tables_are_the_scenario_s():
    """The two tables are the ones that the scenario prints."""
    assert ten_requests() == shown("ten-by-five")


def test_lessons_and_animals_are_counted():
    """The README and the changelog say how many there are."""
    from dosim.scenarios.zoo import animals

    lessons = len(list((README.parent / "notebooks").glob("*.ipynb")))
    said = README.read_text("utf-8") + (README.parent / "CHANGELOG.md").read_text("utf-8")

    assert (14, 1, 1) == (lessons, said.count("the first of fourteen"), said.count("fourteen notebooks"))
    assert 2 == said.count(f"{len(animals())} small classes")


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
