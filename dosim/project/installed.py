"""This Python's packages as a project uses them: which ones each isolate has for itself, and what they may not disturb.

On the platform every isolate has its own copy of every package. Here most are shared, which nobody can tell from
outside; a framework that keeps the application in its own modules (its settings, its models) cannot be.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

#: What keeps an application's state in itself or imports the platform's modules, and so does what is built on it.
_ROOTS = frozenset(("django", "workers-runtime-sdk", "workers-py"))
_NAME = re.compile(r"[\w.-]+")
#: In the marker of a requirement: only who asks for an extra gets it.
_OF_AN_EXTRA = re.compile(r";.*\bextra\s*(==|in\b)")

#: What loading projects has changed in `os.environ`, and what was there before.
_environ_before: dict[str, str | None] = {}


def own_folder(top: str) -> str | None:
    """The folder to load the top-level package `top` from, anew in each isolate; None: it is shared, or not there."""
    spec = PathFinder.find_spec(top)
    if spec is None or not (spec.origin or "").endswith(".py") or not _is_own(top):
        return None
    file = Path(spec.origin or "")
    return str(file.parent.parent if spec.submodule_search_locations else file.parent)


def _is_own(top: str) -> bool:
    if top == __name__.partition(".")[0]:
        return False  # dosim is the world outside, however it is installed and whatever it requires
    return any(not _ROOTS.isdisjoint(_with_requirements(name)) for name in _distributions().get(top, ()))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def _with_requirements(distribution: str) -> set[str]:
    """A distribution and what it cannot do without, by normalized names; its extras do not count."""
    needed = [text for text in metadata.requires(distribution) or () if not _OF_AN_EXTRA.search(text)]
    found = [distribution, *(match[0] for text in needed if (match := _NAME.match(text)))]
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


class _Reader(SourceFileLoader):
    """Reads an installed module's bytecode, and writes none."""

    def set_data(self, path: str, data: object, *, _mode: int = 0o666) -> None:
        """Nothing: what is installed stays as it is."""


@cache
def installed_code(name: str, path: str) -> CodeType:
    """The code of an installed module, read once in a process."""
    code = _Reader(name, path).get_code(name)
    assert code is not None
    return code


@contextmanager
def own_environment() -> Iterator[None]:
    """Load a project without what the project loaded before it put into `os.environ` (DJANGO_SETTINGS_MODULE)."""
    for name, value in _environ_before.items():
        _set(name, value)
    _environ_before.clear()
    before = dict(os.environ)
    try:
        yield
    finally:
        changed = [name for name in {**before, **os.environ} if before.get(name) != os.environ.get(name)]
        _environ_before.update({name: before.get(name) for name in changed})


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
