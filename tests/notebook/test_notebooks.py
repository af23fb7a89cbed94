"""The notebooks: stored without outputs, and right in what they claim when they are run."""

from __future__ import annotations

import ast
import base64
import re
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOVE_A_SLIDER = """
explorer_shown = next(shown for shown in Out.values() if hasattr(shown, "children"))
slider, sentence, picture = (explorer_shown.children[i] for i in (0, 5, 6))
before = sentence.value, picture.value
slider.value = 3
after = sentence.value, picture.value
slider.value = 10
print(slider.description, before[0] == after[0], before[1] == after[1], before == (sentence.value, picture.value))
explorer_shown.children[2].value = "Locks"
print(sentence.value)
slider.value, explorer_shown.children[1].value = 2, 31
print(sentence.value)
"""


#: Runs the source of a cell and returns what it showed, as text.
Shell = Callable[[str], str]
KNOWN_METADATA = {"tags", "jupyter"}
KNOWN_TAGS = {"exercise", "solution", "hide-cell", "hide-input"}
#: A solution in prose: code of a fold that is closed until somebody opens it.
SOLUTION = re.compile(r"<details>.*?```python\n(.*?)```.*?</details>", re.DOTALL)

#: Lesson -> answers to its exercises that are wrong in another way than the one that stands there.
WRONG = {
    "01-ten-requests": ["print(check(Quick))"],  # it does not sleep
    "07-gates": [
        """
class Locked(Account):
    async def pay(self, amount):
        return await self.ctx.blockConcurrencyWhile(lambda: super(Locked, self).pay(amount))


print(verdict(Locked))
"""
    ],
    "08-alarms-and-time": [
        """
class OneKeyForEachMoment(Diary):
    async def remind(self, seconds, text):
        at_ms = int(time.time() * 1000) + seconds * 1000
        await self.ctx.storage.put(f"due:{at_ms:015}", text)
        await self.set_next()


print(verdict(OneKeyForEachMoment))
"""
    ],
    "10-parents-children-shards": [
        """
class Blank(Board):
    async def titles(self):
        return [""] * 10


print(verdict(Blank))
""",
        """
async def all_of_them(env):
    return 400


print(likes_verdict(lambda env, number: env.COUNTER.getByName(f"shard {number % 10}").likes(), all_of_them))
""",
    ],
    "13-let-the-machine-look": [
        """
class NobodyGetsIt(DurableObject):
    async def book(self, who):
        return "taken"


print(verdict(NobodyGetsIt))
""",
        """
class Kept(DurableObject):
    async def book(self, who):
        if await self.ctx.storage.get("owner"):
            return "taken"
        await self.ctx.storage.put("owner", who)
        response = await fetch("https://bank.example/", method="POST", body=who)
        return "booked" if await response.text() == "yes" else "refused"


print(verdict(Kept))
""",
    ],
    "14-agents": [
        """
class Frozen(Poll):
    def validate_state_change(self, next_state, source):
        raise ValueError("no")


print(verdict(Frozen))
""",
        """
class Deaf(Poll):
    def validate_state_change(self, next_state, source):
        if next_state != self.initial_state:
            raise ValueError("no")


print(verdict(Deaf))
""",
    ],
}


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """A function that runs a notebook in a fresh kernel, from the notebooks' folder, and returns it with outputs."""
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")

    def run(notebook: Any) -> Any:
        where = {"metadata": {"path": str(ROOT / "notebooks")}}
        return NotebookClient(notebook, timeout=60, kernel_name="python3", resources=where).execute()

    return run


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """IPython in this process, in the notebooks' folder: a cell that fails or writes to stderr fails the test."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output
    from traitlets.config import Config

    monkeypatch.chdir(ROOT / "notebooks")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)  # whoever runs the tests may stand in another environment
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # given back: the shell puts its own there
    config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    ipython = InteractiveShell.instance(config=config)

    def run(source: str) -> str:
        with capture_output() as shown:
            ran = ipython.run_cell(source)
        assert ran.success, f"{source}\n\n{shown.stdout}{shown.stderr}"
        assert "" == shown.stderr
        return "".join([shown.stdout, *(data for out in shown.outputs for data in map(str, out.data.values()))])

    yield run
    ipython.reset(new_session=False)
    InteractiveShell.clear_instance()


def tags(cell: Any) -> list[str]:
    found: list[str] = cell.metadata.get("tags", [])
    return found


def texts(cell: Any) -> str:
    """Everything a cell has shown, as text."""
    return "".join(out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in cell.outputs)


def test_there_are_notebooks() -> None:
    """The first lesson is where `make lab` opens."""
    assert "01-ten-requests.ipynb" == NOTEBOOKS[0].name
    assert "notebooks/01-ten-requests.ipynb" in (ROOT / "Makefile").read_text(encoding="utf-8")


lesson = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@lesson
def test_form(path: Path) -> None:
    """Valid, no outputs stored, cells of under 15 lines with ids of their own, a kernel every front end finds."""
    notebook = read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    ids = [cell.id for cell in notebook.cells]

    assert (4, 5) == (notebook.nbformat, notebook.nbformat_minor)
    assert [] == [cell.id for cell in code if cell.outputs or cell.execution_count is not None]
    assert [] == [cell.id for cell in notebook.cells if not KNOWN_METADATA.issuperset(cell.metadata)]
    assert KNOWN_TAGS >= {tag for cell in notebook.cells for tag in tags(cell)}
    assert [] == [cell.id for cell in code if len(cell.source.splitlines()) >= 15]
    assert sorted(set(ids)) == sorted(ids)
    assert [] == [name for name in ids if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)]
    assert "python3" == notebook.metadata.kernelspec.name
    assert {"name": "python"} == notebook.metadata.language_info


@lesson
def test_it_is_stored_as_jupyter_stores_it(path: Path) -> None:
    """Reading and writing it changes nothing: no id is made up, no line of a diff is a tool's."""
    text = path.read_text(encoding="utf-8")

    assert nbformat.writes(nbformat.reads(text, as_version=4)).rstrip("\n") + "\n" == text


@lesson
def test_it_teaches(path: Path) -> None:
    """It opens with what one can decide afterwards, asks for a prediction before it reveals, names what it assumed."""
    cells = read(path).cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    asked = [at for at, cell in enumerate(cells) if cell.cell_type == "markdown" and "**Predict" in cell.source]

    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    assert "decide" in "".join(cell.source for cell in cells[:2])
    assert asked
    assert [] == [cells[at].id for at in asked if cells[at + 1].cell_type != "code"]
    assert any("**What did I just assume?**" in text for text in prose)


@lesson
def test_it_ends_in_asserts(path: Path) -> None:
    """The last cell checks the numbers that the text claims."""
    statements = ast.parse(read(path).cells[-1].source).body

    assert isinstance(statements[-1], ast.Assert)
    assert len([statement for statement in statements if isinstance(statement, ast.Assert)]) >= 3
    assert {ast.Assert, ast.Assign} >= {type(statement) for statement in statements}


@lesson
def test_it_runs(path: Path, shell: Shell) -> None:
    """Every cell runs without a complaint; each exercise is unsolved as it stands; only its solution solves it."""
    exercises, solutions = [], []
    for cell in read(path).cells:
        hidden = SOLUTION.findall(cell.source) if cell.cell_type == "markdown" else []
        for source in [cell.source] if cell.cell_type == "code" else hidden:
            shown = shell(source)
            if "exercise" in tags(cell):
                exercises.append(shown)
            elif hidden or "solution" in tags(cell):
                solutions.append(shown)

    assert 0 < len(exercises) == len(solutions)
    assert [] == [shown for shown in exercises if "Not yet" not in shown]
    assert [] == [shown for shown in solutions if "Right" not in shown]
    assert [] == [answer for answer in WRONG.get(path.stem, ()) if "Not yet" not in shell(answer)]


def test_the_first_lesson(execute: Callable[[Any], Any]) -> None:
    """Every cell runs without a complaint and shows what the text beside it says; the slider reruns and redraws."""
    notebook = read(NOTEBOOKS[0])
    notebook.cells.append(nbformat.v4.new_code_cell(MOVE_A_SLIDER))
    cells = {cell.id: cell for cell in execute(notebook).cells if cell.cell_type == "code"}

    assert [] == [name for name, cell in cells.items() if any(out.get("name") == "stderr" for out in cell.outputs)]
    ladder = str([5.0 * n for n in range(1, 11)])
    assert [ladder] * 3 == [texts(cells[name]) for name in ("belief", "computes", "locks")]
    assert f"your prediction: None\n{[5.0] * 10}" == texts(cells["gates"])
    assert str([5.0] * 10) == texts(cells["objects"])
    for name in ("belief-picture", "gates-picture", "locks-picture"):
        html = cells[name].outputs[0].data["text/html"]
        width, height = png_size(base64.b64decode(html.partition("base64,")[2].partition('"')[0]))
        assert width > 800 and height > 300
    assert "awaited a timer for 5 s" in cells["gates-explain"].outputs[0].data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in cells["play"].outputs[0].data
    assert "application/vnd.jupyter.widget-view+json" in cells["quiz"].outputs[0].data

    redrawn, locked, too_long = texts(notebook.cells[-1]).splitlines()
    assert "requests True False True" == redrawn
    assert "The last answer comes after 50 s." in locked
    assert "waited for too long" in too_long


def png_size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height
