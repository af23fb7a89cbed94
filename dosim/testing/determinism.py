"""`check_determinism`: is a run the same every time? If not, which record differs first, and which line made it.

A test that is not deterministic cannot be explored, shrunk or replayed: the failure that was found does not come
again. dosim itself gives the same records for the same seed in any process. User code can still depend on what is
outside the simulation: the order of a set, an address, a global that an earlier run left behind, a file's time.

A function is run more than once in this process, with other addresses each time, then in fresh processes with other
values of PYTHONHASHSEED. Compared are the records of every simulation it makes, what it returns where that is plain
data, and what it raises.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dosim.testing.divergence import Divergence, divergence
from dosim.testing.fresh import CHILD, name_of, once, one_run, run_fresh, why_not
from dosim.testing.runs import Run, noise, run_once
from dosim.testing.witness import Place
from dosim.trace.words import counted

_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth")

LEFT_BEHIND: Final = (
    "something that one run leaves to the next: a module global, a class attribute, a cache, a mutable default"
    " argument, an object that was made once for all runs (a test's parameter), an environment variable"
)
ADDRESSES: Final = (
    "addresses (id(), the order of a set of objects that are hashed by theirs), or something outside the simulation (a"
    " file, the system's randomness or clock)"
)
HASHES: Final = (
    "the order of a set of strings (or of what is hashed by strings), which PYTHONHASHSEED decides. Iterate over"
    " sorted(...), a list or a dict"
)
OUTSIDE: Final = (
    "something that is different in every process, whatever the hash seed: an address, the process's number, a"
    " temporary file's name, the system's randomness or clock"
)
THIS_PROCESS: Final = (
    "something of this process that fresh ones do not have: a module global or cache that earlier code filled, an"
    " environment variable or argument that was read when a module was imported"
)


class NotDeterministic(AssertionError):
    """Two runs of one function differ. Its text is the story.

    `divergence` holds both runs; `place` is the line of user code behind the first difference, or None.
    """

    def __init__(self, story: str, found: Divergence) -> None:
        super().__init__(story)
        self.divergence = found

    @property
    def place(self) -> Place | None:
        return self.divergence.place


@dataclass(frozen=True)
class Determinism:
    """What was compared, and found the same. `left_out`: why no fresh process had a part in it, "" if one had."""

    name: str
    runs: int
    hash_seeds: tuple[int, ...]
    simulations: int
    records: int
    #: The trace's digest; of several simulations a hash of theirs.
    digest: str
    #: Whether the values that were returned were compared: only plain data is.
    values: bool
    left_out: str = ""

    def __repr__(self) -> str:
        fresh = f" and {_processes(self.hash_seeds)}" if self.hash_seeds else ""
        what = f"{counted(self.simulations, 'simulation')}, {counted(self.records, 'record')}"
        returned = ", and what it returns" if self.values else ""
        left_out = f"; no fresh process was started, because {self.left_out}" if self.left_out else ""
        runs = f"{counted(self.runs, 'run')} in this process{fresh}"
        return f"<{self.name} is deterministic: {runs}, {what}{returned}, digest {self.digest[:16]}{left_out}>"


def _processes(hash_seeds: Sequence[int]) -> str:
    kind = "fresh process" if len(hash_seeds) == 1 else "fresh processes"
    return f"{len(hash_seeds)} in {kind} (PYTHONHASHSEED {', '.join(map(str, hash_seeds))})"


def check_determinism(fn: Callable[[], Any], runs: int = 2, hash_seeds: Sequence[int] = (1, 2)) -> Determinism:
    """Run a function several times, here and in fresh processes, and compare what its simulations do.

    fn: a function without parameters that makes and runs one or more simulations, or a test that `@simulated` made.
    runs: how many in this process, 2 or more. hash_seeds: values of PYTHONHASHSEED, a fresh process for each; () for
    none. A function that another process cannot import (a lambda, one inside another, one of a notebook) is compared in
    this process alone, and the result says so.

    Raises NotDeterministic with the first record that differs and the line of code behind it; what `fn` itself raises,
    when every run raises it; ValueError or TypeError that name the argument; RuntimeError when a fresh process cannot
    import the function.
    """
    _check_arguments(fn, runs, hash_seeds)
    name = (name_of(fn) or repr(fn)).replace("<locals>.", "")
    run, left_out = once(fn), why_not(fn) if hash_seeds else "hash_seeds is empty"
    first = run_once(run, "the first run")
    if not first.witnesses and first.raised is not None:
        raise first.raised
    if not first.witnesses:
        raise ValueError(f"fn={name} made no simulation, so there is nothing to compare: make it and run it inside fn.")

    def again(how: str) -> Run:
        return run_once(run, how, quiet=True)

    def fresh(hash_seed: int, layout: int) -> Run:
        return run_fresh(fn, hash_seed, fresh_name(hash_seed), layout=layout)

    found = first_divergence(first, again, None if left_out else fresh, runs=runs, hash_seeds=hash_seeds)
    if found is not None:
        raise NotDeterministic(found[0].story(name, found[1]), found[0]) from found[0].second.raised
    if first.raised is not None:
        raise first.raised
    return Determinism(
        name, runs, () if left_out else tuple(hash_seeds), len(first.witnesses), first.records, first.digest,
        first.value is not None, left_out,
    )  # fmt: skip


def _check_arguments(fn: Any, runs: object, hash_seeds: object) -> None:
    if CHILD in os.environ:
        raise RuntimeError(
            "check_determinism() was called while a fresh process imported the function's module: call it in a test, or"
            ' below `if __name__ == "__main__":`.'
        )
    if not callable(fn):
        raise TypeError(f"fn={fn!r} cannot be called: give the function that makes and runs simulations.")
    if inspect.iscoroutinefunction(fn):
        raise TypeError(
            f"fn={fn.__qualname__} is a coroutine function, and it is called outside of any simulation: give a plain"
            " function, in which sim.run(...) runs your coroutine."
        )
    if getattr(fn, "is_hypothesis_test", False) and one_run(fn) is None:
        raise TypeError(
            f"fn={name_of(fn)} is run by Hypothesis, which draws other examples each time: give a function that"
            " makes one run of it."
        )
    wanted = _parameters_to_give(once(fn))
    if wanted:
        raise TypeError(f"fn needs {', '.join(wanted)}: give a function without parameters, which makes all it needs.")
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 2:
        raise ValueError(f"runs={runs!r}: give a whole number, 2 or more; one run has nothing to be compared with.")
    if isinstance(hash_seeds, (str, bytes)) or not isinstance(hash_seeds, Sequence):
        raise TypeError(f"hash_seeds={hash_seeds!r}: give a list of whole numbers, or () for no fresh process.")
    for seed in hash_seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise ValueError(f"hash_seeds has {seed!r}: PYTHONHASHSEED is a whole number from 0 to {2**32 - 1}.")


def _parameters_to_give(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    taken = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in parameters if one.default is one.empty and one.kind not in taken]


# -- comparing, and finding out by more runs what a difference is likely to come from

#: A run in a fresh process: PYTHONHASHSEED, and a number for other addresses.
Fresh = Callable[[int, int], Run]


def fresh_name(hash_seed: int) -> str:
    """How a story names a run in a fresh process."""
    return f"a fresh process with PYTHONHASHSEED={hash_seed}"


def first_divergence(
    first: Run, again: Callable[[str], Run], fresh: Fresh | None, *, runs: int, hash_seeds: Sequence[int]
) -> tuple[Divergence, str] | None:
    """Where the first run differs from more of them here, then in fresh processes, and why; None: nowhere.

    again: another run in this process, given its name. fresh: one in a fresh process, None where there can be none.
    """
    for number in range(1, runs):
        with noise(number):
            other = again(f"the {_ordinal(number)} run")
        if found := divergence(first, other):
            return found, _why_here(fresh, hash_seeds)
    if fresh is None:
        return None
    done: list[Run] = []
    for hash_seed in hash_seeds:
        done.append(fresh(hash_seed, 0))
        known = first if len(done) == 1 else done[0]  # fresh ones with each other: that they differ tells more
        if found := divergence(known, done[-1]):
            return found, _why_fresh(fresh, done, hash_seed)
    return None


def _ordinal(number: int) -> str:
    return _ORDINALS[number] if number < len(_ORDINALS) else f"{number + 1}th"


def _why_here(fresh: Fresh | None, hash_seeds: Sequence[int]) -> str:
    """Two runs of one process differ. If first runs agree wherever they are, it is what they leave behind."""
    if fresh is None or not hash_seeds:
        return f"{LEFT_BEHIND}; or {ADDRESSES}"
    one, other = (fresh(hash_seeds[0], layout) for layout in (1, 2))
    return LEFT_BEHIND if divergence(one, other) is None else ADDRESSES


def _why_fresh(fresh: Fresh, done: Sequence[Run], hash_seed: int) -> str:
    """Runs of one process agree, and of two processes do not."""
    if divergence(done[-1], fresh(hash_seed, 1)) is not None:
        return OUTSIDE
    if len(done) > 1:
        return HASHES
    other = fresh(hash_seed + 1 if hash_seed + 1 < 2**32 else 0, 0)
    return THIS_PROCESS if divergence(done[-1], other) is None else HASHES
