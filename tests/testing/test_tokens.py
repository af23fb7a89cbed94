"""Replay tokens: a test and a schedule in one line, which any process takes, and which says when it cannot."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import dosim
from dosim.kernel.chooser import Chooser, Schedule
from dosim.testing import BadToken, explore
from dosim.testing.tokens import Token, code_of, subject_at
from tests.testing import explored

PROGRAM = """
from dosim import Simulation
from dosim.testing import simulated
from dosim.workers import DurableObject


class Counter(DurableObject):
    count = 0

    async def remember(self):
        self.count += 1
        return self.count


@simulated(durable_objects={"COUNTER": Counter}, faults=("evict",), network=None)
async def test_race(sim):
    stub = sim.env.COUNTER.getByName("a")
    for expected in (1, 2):
        assert expected == await stub.remember()


def plain():
    sim = Simulation(durable_objects={"COUNTER": Counter}, network=None)
    assert [1, 2] == [sim.run(sim.env.COUNTER.getByName("a").remember()) for _ in range(2)]


class TestMethods:
    @simulated(durable_objects={"COUNTER": Counter})
    def test_in_a_class(self, sim):
        pass


number = 7
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program, seen from its folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"test_{tmp_path.name}.py"
    path.write_text(PROGRAM)
    return path


def token_of(file: Path, name: str = "test_race") -> str:
    failure = explore(subject_at(f"{file.name}::{name}"), faults=("evict",)).failure
    assert failure is not None
    return failure.token


def refused(token: str) -> str:
    """Why a token is not replayed."""
    with pytest.raises(BadToken) as error:
        Token.parse(token).subject()
    return str(error.value)


@pytest.mark.parametrize("name", ["test_race", "plain"])
def test_a_token_is_read_as_it_was_written(file: Path, name: str) -> None:
    """Where the test is, which dosim, which code, the schedule; run again, it breaks alike."""
    text = token_of(file, name)
    token = Token.parse(text)

    assert re.fullmatch(rf"{file.name}::{name}@dosim={dosim.__version__},code=[0-9a-f]{{8}},object1=evict", text)
    assert (text, Schedule.parse("object1=evict")) == (str(token), token.schedule)
    outcome = token.subject().run(Chooser(token.schedule))
    assert "AssertionError" == type(outcome.error).__name__


def test_a_token_of_the_plain_run_has_no_schedule() -> None:
    """It ends with the code."""
    token = Token.of(explored.holds.subject, Schedule())  # type: ignore[attr-defined]

    assert str(token).endswith(f",code={code_of(explored.holds.subject.code)}")  # type: ignore[attr-defined]
    assert token == Token.parse(str(token))


def test_a_token_is_replayed_in_another_process(file: Path) -> None:
    """`dosim replay` tells the same story there, and ends with 1."""
    done = replayed(file, token_of(file))

    assert 1 == done.returncode, done.stderr
    assert "object1=evict at t=0.000000s: Counter('a') is evicted before #2 Counter('a').remember" in done.stdout


def replayed(file: Path, token: str) -> subprocess.CompletedProcess[str]:
    """`dosim replay TOKEN`, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "dosim", "replay", token],
        cwd=file.parent, env=_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(dosim.__file__).parents[1])}


def test_the_classes_under_test_may_change(file: Path) -> None:
    """A token answers for the test alone: replayed after the mend, it shows that the bug is gone, and ends with 0."""
    text = token_of(file)
    mended = PROGRAM.replace("self.count += 1", 'self.count = (await self.ctx.storage.get("n") or 0) + 1')
    file.write_text(
        mended.replace("return self.count", 'await self.ctx.storage.put("n", self.count)\n        return self.count')
    )
    done = replayed(file, text)

    assert 0 == done.returncode, done.stderr
    assert "test_race does not break any more with object1=evict." in done.stdout


# -- what cannot be replayed


@pytest.mark.parametrize(
    "text",
    ["", "object1=evict", "test.py::test", "test.py::test@object1=evict", "test.py::test@dosim=0.1.0",
     "test.py::test@code=12345678,dosim=0.1.0", "test.py::test@dosim=0.1.0;code=12345678"],
)  # fmt: skip
def test_a_garbled_token_is_shown_what_a_token_is(text: str) -> None:
    """Half of the line was copied, or something else."""
    assert (
        f"token {text!r} cannot be read: it is the whole line that a failure prints,"
        " PATH::test@dosim=VERSION,code=DIGITS,decision=choice,…"
    ) == refused(text)


def test_a_garbled_schedule_in_a_token_is_named() -> None:
    """The part that is no decision."""
    assert refused("test.py::test@dosim=0.1.0,code=12345678,object1=evi").endswith(
        "cannot be read: schedule: 'object1=evi' names no choice; object has evict, crash, reset, deploy."
    )


def test_a_token_of_another_version_is_refused(file: Path) -> None:
    """Decisions may have other numbers there."""
    text = token_of(file).replace(f"dosim={dosim.__version__}", "dosim=0.0.9")

    assert (
        f"this token was made by dosim 0.0.9, and this is {dosim.__version__}: decisions may have other numbers now."
        " Explore again, or install that version."
    ) == refused(text)


def test_a_token_of_a_changed_test_is_refused(file: Path) -> None:
    """And how to try its schedule all the same."""
    text = re.sub("code=[0-9a-f]{8}", "code=00000000", token_of(file))

    assert (f"{file.name}::test_race has changed since this token was made (its code was 00000000, and is") in refused(
        text
    )
    assert 'try the schedule all the same, with Simulation(..., schedule="object1=evict")' in refused(text)


def test_a_test_that_was_edited_has_another_code(file: Path) -> None:
    """In a new process, as `dosim replay` is one."""
    text = token_of(file)
    file.write_text(PROGRAM.replace("for expected in (1, 2):", "for expected in (1, 2, 3):"))
    done = subprocess.run(
        [sys.executable, "-m", "dosim", "replay", text],
        cwd=file.parent, env=_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert 2 == done.returncode
    assert "test_race has changed since this token was made" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("{file}", "test_gone.py"), "there is no file test_gone.py at "),
        (("::test_race", "::test_gone"), "has no 'test_gone'; it has test_race"),
        (("{file}", "no.such.module"), "no.such.module cannot be imported: ModuleNotFoundError: No module named 'no'"),
        (("::test_race", ""), "names no test: write PATH::name, such as tests/test_counter.py::test_race."),
        (("::test_race", "::number"), "::number: test=7 cannot be explored"),
        (("::test_race", "::TestMethods::test_in_a_class"), "takes self beside sim"),
        (("{file}::test_race", ""), "this token names no test, because the test has no file and name"),
    ],
)  # fmt: skip
def test_a_token_of_what_is_not_there_is_refused(file: Path, change: tuple[str, str], says: str) -> None:
    """A file, a name, a module that is gone; what is no test."""
    old, new = change
    text = token_of(file).replace(old.format(file=file.name), new)

    assert says in refused(text)


def test_a_file_that_cannot_be_imported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")

    assert ("broken.py cannot be imported: ModuleNotFoundError: No module named 'nowhere_to_be_found'") == refused(
        f"broken.py::test@dosim={dosim.__version__},code=12345678"
    )


def test_a_test_of_a_package_imports_from_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beside an `__init__.py` is imported under its package's name."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "checks_of_a_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text(PROGRAM)
    (package / "test_it.py").write_text("from .parts import plain as test_plain\nfrom .parts import test_race\n")

    subject: Any = subject_at("checks_of_a_package/test_it.py::test_race")
    assert "checks_of_a_package/test_it.py::test_race" == subject.reference
