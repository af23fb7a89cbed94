"""`Run`: one run of a function that makes simulations, with all that another run of it is compared with.

A run can be written into a folder and read from it, which is how a fresh process hands its own over.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from dosim.testing.witness import Place, Witness, watching
from dosim.trace import Trace

_MANIFEST: Final = "run.json"
#: Addresses in texts of errors say nothing of behaviour.
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")


@dataclass
class Run:
    """What one run came to. `how` names it in a sentence: "the first run"."""

    how: str
    witnesses: list[Witness] = field(default_factory=list)
    #: What the function returned, as text; None where that is no plain data.
    value: str | None = None
    #: What it raised, as text; "" for nothing.
    error: str = ""
    raised: BaseException | None = None

    @property
    def digest(self) -> str:
        """Of its only simulation; of several a hash of theirs."""
        digests = [witness.digest for witness in self.witnesses]
        return digests[0] if len(digests) == 1 else sha256("".join(digests).encode()).hexdigest()

    @property
    def records(self) -> int:
        return sum(witness.trace.count for witness in self.witnesses)


def run_once(function: Callable[[], Any], how: str, *, quiet: bool = False) -> Run:
    """Call the function and keep what it did; an exception is part of that. quiet: what it prints is dropped."""
    run = Run(how)
    with watching() as run.witnesses, contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
        try:
            run.value = plain(function())
        except Exception as error:
            run.raised, run.error = error, told(error)
    return run


def told(error: BaseException) -> str:
    """An exception in one line, without addresses."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _ADDRESS.sub("0x…", text)


def plain(value: object) -> str | None:
    """Plain data as text, the same in every process; None for what is or holds anything else."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, dict):
        pairs = [(plain(key), plain(item)) for key, item in value.items()]
        whole = all(key is not None and item is not None for key, item in pairs)
        return "{" + ", ".join(f"{key}: {item}" for key, item in pairs) + "}" if whole else None
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [item for item in map(plain, value) if item is not None]
        if isinstance(value, (set, frozenset)):
            items.sort()  # a set has no order; what is made of it has
        left, right = "[]" if isinstance(value, list) else "()" if isinstance(value, tuple) else "{}"
        return left + ", ".join(items) + right if len(items) == len(value) else None
    return None


# -- between two runs


class _Small:
    """An object of the size of most user objects."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def noise(number: int) -> Iterator[None]:
    """Objects of many sizes are made, and a part of them freed in no order: what comes has other addresses.

    Code that goes by `id()`, or iterates a set of objects that are hashed by their address, behaves differently then.
    """
    draw = random.Random(number)
    makers: list[Callable[[int], object]] = [
        _Small, lambda n: [n], lambda n: {n: n}, lambda n: {n, -n}, lambda n: (n, n), lambda _: object(), bytes,
    ]  # fmt: skip
    made = [makers[draw.randrange(len(makers))](draw.randrange(300)) for _ in range(20_000)]
    draw.shuffle(made)
    del made[draw.randrange(6_000, 14_000) :]
    gc.collect()
    yield
    made.clear()


# -- from one process to another


def save(run: Run, folder: Path) -> None:
    """Write a run into an empty folder."""
    simulations = []
    for number, witness in enumerate(run.witnesses):
        witness.trace.to_jsonl(folder / f"{number}.jsonl")
        places = {seq: list(asdict(place).values()) for seq, place in witness.places.items()}
        simulations.append({"digest": witness.digest, "places": places})
    manifest = {"simulations": simulations, "value": run.value, "error": run.error}
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


class _Told(Witness):
    """A witness of another process."""

    def __init__(self, trace: Trace, digest: str) -> None:
        super().__init__(trace)
        self._digest = digest

    @property
    def digest(self) -> str:
        return self._digest


def load(folder: Path, how: str) -> Run | None:
    """Read what `save` wrote; None where the other process has written nothing."""
    if not (folder / _MANIFEST).exists():
        return None
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    run = Run(how, value=manifest["value"], error=manifest["error"])
    for number, said in enumerate(manifest["simulations"]):
        witness = _Told(Trace.from_jsonl(folder / f"{number}.jsonl"), said["digest"])
        witness.places = {int(seq): Place(*place) for seq, place in said["places"].items()}
        run.witnesses.append(witness)
    return run
