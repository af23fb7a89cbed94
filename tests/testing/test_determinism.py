"""`check_determinism` names the first record that differs and the line of code behind it; what is steady passes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.testing.determinism import (
    ADDRESSES,
    HASHES,
    LEFT_BEHIND,
    OUTSIDE,
    THIS_PROCESS,
    NotDeterministic,
    check_determinism,
)
from dosim.testing.fresh import ONCE
from dosim.testing.runs import plain
from tests.testing import planted, planted_simulated

ROOT = Path(__file__).parents[2]
SOURCE = Path(planted.__file__).read_text().splitlines()

#: Planted function -> what it is said to come from, when fresh processes may be asked.
IN_ONE_PROCESS = {
    planted.objects: ADDRESSES,
    planted.address: ADDRESSES,
    planted.clock: ADDRESSES,
    planted.default: LEFT_BEHIND,
    planted.environment: LEFT_BEHIND,
    planted.leftover: LEFT_BEHIND,
}


@pytest.fixture(autouse=True)
def _start() -> Iterator[None]:
    planted.start()
    yield
    planted.start()


def line_of(name: str) -> int:
    """The number of the line that says "planted: name"."""
    return next(number for number, line in enumerate(SOURCE, 1) if line.endswith(f"# planted: {name}"))


def failure(function: Callable[[], Any], **options: Any) -> NotDeterministic:
    with pytest.raises(NotDeterministic) as caught:
        check_determinism(function, **options)
    return caught.value


@pytest.mark.parametrize("function", IN_ONE_PROCESS, ids=lambda function: function.__name__)
def test_the_line_is_named_by_runs_of_one_process(function: Callable[[], Any]) -> None:
    """Addresses, a file's time, and four kinds of leftovers: the story names the planted line and shows it."""
    error = failure(function, hash_seeds=())
    line = line_of(function.__name__)

    assert error.place is not None
    assert (planted.__file__, line) == (error.place.file, error.place.line)
    assert f"planted.py:{line}, in " in str(error)
    assert f"      {SOURCE[line - 1].strip()}" in str(error).splitlines()
    assert f"likely: {LEFT_BEHIND}; or {ADDRESSES}" == str(error).splitlines()[-1]


def test_a_set_of_strings_is_told_by_its_hash_seed() -> None:
    """Two runs of one process agree, two of fresh ones do not; both versions stand in the story."""
    error = failure(planted.strings)
    lines = str(error).splitlines()

    assert error.place is not None
    assert line_of("strings") == error.place.line
    assert lines[0].startswith("strings is not deterministic: a fresh process with PYTHONHASHSEED=")
    assert lines[0].endswith("which differs in actor, target.")
    assert 2 == sum(", call: note of Board('" in line for line in lines)
    assert f"likely: {HASHES}" == lines[-1]


def test_what_differs_in_every_process_is_not_the_hash_seed() -> None:
    """The number of the process is another one under the same hash seed, too."""
    error = failure(planted.process, hash_seeds=(1,))

    assert error.place is not None
    assert line_of("process") == error.place.line
    assert f"likely: {OUTSIDE}" == str(error).splitlines()[-1]


def test_what_this_process_alone_has_is_told() -> None:
    """A global that something else has set here: fresh processes agree with each other, not with this one."""
    planted.label = "here"

    error = failure(planted.labelled, hash_seeds=(1,))

    assert f"likely: {THIS_PROCESS}" == str(error).splitlines()[-1]


def test_leftovers_are_told_from_addresses_by_fresh_processes() -> None:
    """First runs agree wherever they are, so it is what a run leaves behind."""
    assert f"likely: {LEFT_BEHIND}" == str(failure(planted.leftover)).splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("function", IN_ONE_PROCESS, ids=lambda function: function.__name__)
def test_fresh_processes_tell_what_it_comes_from(function: Callable[[], Any]) -> None:
    """Each of the planted is told as what it is."""
    assert f"likely: {IN_ONE_PROCESS[function]}" == str(failure(function)).splitlines()[-1]


@pytest.mark.parametrize("function", [planted.platform, planted.explored], ids=lambda function: function.__name__)
def test_a_record_of_the_platform_leads_to_the_line_that_caused_it(function: Callable[[], Any]) -> None:
    """A timer fires later: no user code is on the stack, and the call that led there is named with its record."""
    error = failure(function, hash_seeds=())

    assert error.place is not None
    assert line_of("platform") == error.place.line
    assert "(it made record 2, which caused this one)" in str(error)
    assert "which differs in t_us, ready_us." in str(error)


def test_equal_traces_are_not_enough() -> None:
    """What the function returns, what it raises, and how many simulations it makes are compared, too."""
    value = str(failure(planted.value, hash_seeds=()))
    planted.start()
    raised = str(failure(planted.error, hash_seeds=()))
    planted.start()
    count = str(failure(planted.count, hash_seeds=()))

    assert "  the first run: 1\n  the second run: 2\n" in value
    assert "the first run raised nothing, the second run raised ValueError: only the first time is fine" in raised
    assert "the first run made 1 simulation, the second run 2 simulations." in count


def test_of_long_versions_the_difference_is_shown() -> None:
    """Each stands on one line that is not long."""
    lines = str(failure(planted.long, hash_seeds=())).splitlines()

    assert lines[1].endswith("x 1'") and lines[1].startswith("  the first run: 'xxx")
    assert lines[2].endswith("x 2'") and " … xxx" in lines[2]
    assert max(map(len, lines[1:3])) < 200


def test_what_is_steady_passes_and_says_what_was_compared() -> None:
    """Two runs here, two fresh processes, the value, and one digest of both simulations."""
    result = check_determinism(planted.steady)

    assert (2, (1, 2), 2, True, "") == (
        result.runs, result.hash_seeds, result.simulations, result.values, result.left_out
    )  # fmt: skip
    assert (
        "<steady is deterministic: 2 runs in this process and 2 in fresh processes (PYTHONHASHSEED 1, 2),"
        f" 2 simulations, {result.records} records, and what it returns, digest {result.digest[:16]}>"
    ) == repr(result)


def test_the_digest_is_the_trace_s() -> None:
    """Of a function that makes one simulation."""
    made: list[Simulation] = []

    def one() -> None:
        made.append(Simulation(network=None))
        made[0].run(for_="1s")

    assert made == []
    assert check_determinism(one).digest == made[0].trace.digest


def test_a_trace_that_is_not_kept_is_compared_all_the_same() -> None:
    """With retention "none" a hash of the records is compared; where they part cannot be told."""
    assert 1 == check_determinism(planted.forgetful, hash_seeds=(1,)).simulations
    planted.start()
    assert "Make it with retention='full'" in str(failure(planted.forgets_more, hash_seeds=()))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda: planted.steady(), "a lambda cannot be imported"),  # noqa: PLW0108 (it has to be one)
        (partial(planted.steady), "it has no name"),
        (planted.wrapped, "is not this function"),
    ],
)
def test_what_no_other_process_can_import_is_compared_here_alone(function: Callable[[], Any], why: str) -> None:
    """And the result says so, with the reason."""
    result = check_determinism(function)

    assert () == result.hash_seeds
    assert why in result.left_out
    assert "no fresh process was started, because" in repr(result)


def test_a_function_inside_another_is_compared_here_alone() -> None:
    """Its name says where it is defined."""

    def inner() -> None:
        planted.steady()

    assert "is defined inside another function" in check_determinism(inner).left_out


def test_a_test_that_runs_many_times_is_compared_by_one_run() -> None:
    """What it keeps under `ONCE` is run, here and in the fresh processes."""
    result = check_determinism(planted.many, hash_seeds=(1,))

    assert planted.steady is getattr(planted.many, ONCE)
    assert (2, (1,)) == (result.simulations, result.hash_seeds)


def test_a_simulated_test_is_compared_by_its_plain_run() -> None:
    """Here and in fresh processes; the line is named as ever."""
    error = failure(planted_simulated.explored_objects, hash_seeds=())
    result = check_determinism(planted_simulated.explored_steady, hash_seeds=(1,))

    assert error.place is not None
    assert line_of("objects") == error.place.line
    assert (1, (1,), "") == (result.simulations, result.hash_seeds, result.left_out)


def test_a_function_that_always_fails_raises_its_own_error() -> None:
    """Every run agrees, so the failure is the function's."""
    with pytest.raises(ValueError, match="it always fails"):
        check_determinism(planted.always_fails, hash_seeds=())


async def _coroutine() -> None: ...


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((3,), TypeError, "fn=3 cannot be called"),
        ((_coroutine,), TypeError, "is a coroutine function"),
        ((line_of,), TypeError, "fn needs name: give a function without parameters"),
        (
            (planted_simulated.explored_with_more,),
            TypeError,
            "is run by Hypothesis, which draws other",
        ),
        ((lambda: None,), ValueError, "made no simulation"),
        ((planted.steady, 1), ValueError, "runs=1: give a whole number, 2 or more"),
        ((planted.steady, 2, "12"), TypeError, "hash_seeds='12': give a list of whole numbers"),
        ((planted.steady, 2, (-1,)), ValueError, "hash_seeds has -1: PYTHONHASHSEED is a whole number"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[Any, ...], error: type[Exception], text: str) -> None:
    """With the fix."""
    with pytest.raises(error, match=text.replace("(", r"\(")):
        check_determinism(*arguments)


def test_what_is_no_plain_data_is_not_compared() -> None:
    """A set is compared without its order, a list with it."""
    assert plain({"b", "a"}) == plain({"a", "b"}) == "{'a', 'b'}"
    assert "[1, (b'x', {'k': None})]" == plain([1, (b"x", {"k": None})])
    assert plain([object()]) is None
    assert plain({"k": object()}) is None


SCRIPT = """
import unittest
from dosim import Simulation
from dosim.testing.determinism import check_determinism
from dosim.workers import DurableObject

class Board(DurableObject):
    async def note(self, keys):
        for key in keys:
            await self.ctx.storage.put(key, 1)

def note(*keys):
    sim = Simulation(durable_objects={"BOARD": Board}, network=None)
    sim.run(sim.env.BOARD.getByName("one").note(list(keys)))

def story():
    note(str(id(object())))

def short():
    note("x")
"""
UNITTEST = """
class Story(unittest.TestCase):
    def test_story(self):
        with self.assertRaisesRegex(AssertionError, "script.py:10, in Board.note"):
            check_determinism(story, hash_seeds=())

    def test_short(self):
        print(check_determinism(short, hash_seeds=(1,)))

if __name__ == "__main__":
    unittest.main()
"""


def python(*args: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *args], input=text, env=environment, capture_output=True, text=True, check=False
    )


def test_it_works_in_a_script_of_unittest(tmp_path: Path) -> None:
    """The script's file is loaded by the fresh processes, without what `if __name__ == "__main__"` guards."""
    (tmp_path / "script.py").write_text(SCRIPT + UNITTEST)

    done = python(str(tmp_path / "script.py"))

    assert "OK" == done.stderr.splitlines()[-1]
    assert done.stdout.startswith(
        "<short is deterministic: 2 runs in this process and 1 in fresh process (PYTHONHASHSEED 1)"
    )


def test_a_script_that_does_not_guard_its_call_is_told(tmp_path: Path) -> None:
    """Fresh processes would start fresh processes for ever."""
    (tmp_path / "script.py").write_text(f"{SCRIPT}\ncheck_determinism(short)\n")

    done = python(str(tmp_path / "script.py"))

    assert 1 == done.returncode
    assert 'call it in a test, or below `if __name__ == "__main__":`.' in done.stderr


def test_a_notebook_s_function_is_compared_there_alone() -> None:
    """Code without a file, as a cell's: no other process can import it."""
    done = python("-", text=SCRIPT + "print(check_determinism(short))")

    assert "" == done.stderr
    assert "because it is defined in a notebook or a console" in done.stdout


def test_a_fresh_process_that_cannot_import_the_function_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module's file is not there."""
    monkeypatch.setattr(planted, "__file__", "/no/such/file.py")

    with pytest.raises(RuntimeError, match="could not be run in a fresh process"):
        check_determinism(planted.steady, hash_seeds=(1,))
