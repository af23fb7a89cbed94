"""Replay tokens: a test, and the schedule that breaks it, in one line that `dosim replay` takes in any process.

    tests/test_counter.py::test_no_update_is_lost@dosim=0.1.0,code=3f2a9c1b,event1=1,object3=crash

It says which version of dosim made it and what the test's code was: a schedule numbers decisions, and another version
or another test has others.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from dosim.kernel.chooser import Schedule
from dosim.testing.subjects import Subject


class BadToken(ValueError):
    """A token that cannot be replayed: garbled, of another version, or of a test that has changed."""


@dataclass(frozen=True)
class Token:
    """Where the test is, which dosim and which code made the token, and the schedule."""

    reference: str
    version: str
    code: str
    schedule: Schedule

    def __str__(self) -> str:
        schedule = f",{self.schedule}" if self.schedule else ""
        return f"{self.reference}@dosim={self.version},code={self.code}{schedule}"

    @classmethod
    def of(cls, subject: Subject, schedule: Schedule) -> Token:
        """The token of a test and a schedule; its reference is "" for a test that no other process can find."""
        return cls(subject.reference, _version(), code_of(subject.code), schedule)

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read a token. Raises BadToken that says what is wrong with it."""
        reference, at, rest = text.strip().rpartition("@")
        parts = rest.split(",")
        if not at or len(parts) < 2 or not parts[0].startswith("dosim=") or not parts[1].startswith("code="):
            raise BadToken(
                f"token {text!r} cannot be read: it is the whole line that a failure prints,"
                " PATH::test@dosim=VERSION,code=DIGITS,decision=choice,…"
            )
        try:
            schedule = Schedule.parse(",".join(parts[2:]))
        except ValueError as error:
            raise BadToken(f"token {text!r} cannot be read: {error}") from None
        return cls(reference, parts[0].partition("=")[2], parts[1].partition("=")[2], schedule)

    def subject(self) -> Subject:
        """The test it is of. Raises BadToken when that is not the one that the token was made of."""
        if self.version != _version():
            raise BadToken(
                f"this token was made by dosim {self.version}, and this is {_version()}: decisions may have other"
                " numbers now. Explore again, or install that version."
            )
        if not self.reference:
            raise BadToken(
                "this token names no test, because the test has no file and name (a notebook's cell, a function in a"
                f' function): replay it there, with Simulation(..., schedule="{self.schedule}").'
            )
        subject = subject_at(self.reference)
        if code_of(subject.code) != self.code:
            raise BadToken(
                f"{self.reference} has changed since this token was made (its code was {self.code}, and is"
                f" {code_of(subject.code)}): explore again; or try the schedule all the same, with"
                f' Simulation(..., schedule="{self.schedule}").'
            )
        return subject


def code_of(test: Any) -> str:
    """Eight digits that change with a test's source; of what has none, with its name."""
    test = inspect.unwrap(test)
    try:
        source = inspect.getsource(test)
    except (OSError, TypeError):
        source = getattr(test, "__qualname__", "")
    return blake2b(source.encode(), digest_size=4).hexdigest()


def subject_at(reference: str) -> Subject:
    """The test at PATH::name or module::name. Raises BadToken that says what is not there."""
    place, colons, name = reference.partition("::")
    if not colons or not name:
        raise BadToken(f"{reference!r} names no test: write PATH::name, such as tests/test_counter.py::test_race.")
    if Path(place).is_dir():
        from dosim.testing import projects

        return projects.subject_at(place, name)
    found: Any = module_at(place)
    for part in name.replace("::", ".").split("."):
        if not hasattr(found, part):
            raise BadToken(f"{place} has no {name!r}; it has {', '.join(tests_in(module_at(place))) or 'no test'}.")
        found = getattr(found, part)
    try:
        subject = Subject.of(found)
    except TypeError as error:
        raise BadToken(f"{reference}: {error}") from None
    subject.reference = reference
    return subject


def tests_in(module: ModuleType) -> list[str]:
    """The names of what @simulated made in a module, and of its functions named test…."""
    return [name for name, value in vars(module).items() if hasattr(value, "subject") or name.startswith("test")]


def module_at(place: str) -> ModuleType:
    """The module of a file, or of a dotted name. Raises BadToken when it is not there or cannot be imported."""
    path = Path(place)
    try:
        if path.suffix == ".py" or path.exists():
            return _module_of(path.resolve())
        return importlib.import_module(place)
    except Exception as error:
        if isinstance(error, BadToken):
            raise
        raise BadToken(f"{place} cannot be imported: {type(error).__name__}: {error}") from error


def _module_of(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadToken(f"there is no file {path.name} at {path.parent}.")
    for known in list(sys.modules.values()):
        if getattr(known, "__file__", None) and Path(str(known.__file__)) == path:
            return known
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    folders = [str(root), str(Path.cwd())]
    sys.path[:0] = folders
    try:
        if root == path.parent:
            return _loaded(f"_dosim_explored_{blake2b(str(path).encode(), digest_size=6).hexdigest()}", path)
        return importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))
    finally:
        for folder in folders:
            sys.path.remove(folder)


def _loaded(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _version() -> str:
    return str(vars(importlib.import_module("dosim"))["__version__"])
