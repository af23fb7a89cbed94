"""The real runtime as a function: cases in, what workerd answered out, through `server.mjs` in one node process."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

Json = Any
HERE = Path(__file__).parent


class NoRuntime(RuntimeError):
    """There is no node or npm here, or the packages could not be installed; the text says which."""


class Runtime:
    """A running `server.mjs`, a context manager; `jobs` cases are under way at once."""

    def __init__(self, jobs: int = 1) -> None:
        node = shutil.which("node")
        if node is None:
            raise NoRuntime("node was not found")
        self.process = subprocess.Popen(
            [node, str(HERE / "server.mjs"), str(jobs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        cast("IO[str]", self.process.stdin).close()
        self.process.wait()

    def answers(self, asked: Iterable[tuple[str, Json, str | None]]) -> Iterator[tuple[int, Json]]:
        """
        Play (format, case, date or None) triples; give (position, answer) as they end.

        An answer is what the format calls `expect`. RuntimeError names a case that the runtime could not play.
        """
        stdin = cast("IO[str]", self.process.stdin)
        places = {}
        for at, (form, case, date) in enumerate(asked):
            places[self.sent] = at
            stdin.write(json.dumps({"n": self.sent, "format": form, "case": case, "date": date}) + "\n")
            self.sent += 1
        stdin.flush()
        for _ in range(len(places)):
            line = cast("IO[str]", self.process.stdout).readline()
            if not line:
                raise RuntimeError("the runtime's process ended before its answer; its own words are above")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"the runtime could not play a case: {answer['error']}")
            yield places[answer["n"]], answer["answer"]

    def answer(self, form: str, case: Json, date: str | None = None) -> Json:
        """Play one case."""
        ((_, answer),) = self.answers([(form, case, date)])
        return answer


def install() -> None:
    """`npm ci` where it was not done yet; NoRuntime says what is missing."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise NoRuntime("node and npm were not found: install Node.js 22 or newer")
    done = HERE / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= (HERE / "package-lock.json").stat().st_mtime:
        return
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=HERE, check=False).returncode:
        raise NoRuntime(f"{' '.join(command[1:])} failed in {HERE}")
    done.touch()
