"""Progress: a bar of tqdm's on standard error, where somebody looks and tqdm is installed; else nothing at all."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

#: A run that is over sooner shows no bar, seconds.
_SILENT_S: Final = 0.5


class Silence:
    """A bar that nobody sees."""

    def update(self, n: float = 1, /) -> None:
        """Do nothing."""

    def set_postfix_str(self, text: str = "") -> None:
        """Do nothing."""


@contextmanager
def progress_bar(words: str, total: int | None, unit: str, *, wanted: bool = True) -> Iterator[Any]:
    """A bar with `update(n)` and `set_postfix_str(text)`; it is gone when the block ends.

    total: of the units (None: nobody knows). It is drawn when it is wanted, in a terminal or a notebook.
    """
    kind = _bar() if wanted and somebody_looks() else None
    if kind is None:
        yield Silence()
        return
    with kind(desc=words, total=total, unit=unit, leave=False, delay=_SILENT_S, file=sys.stderr) as bar:
        yield bar


def somebody_looks() -> bool:
    """Is standard error a terminal, or this a notebook?"""
    return sys.stderr.isatty() or _in_notebook()


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _bar() -> type[Any] | None:
    """tqdm's class for here, without its watching thread: a process with threads must not be forked."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a notebook without ipywidgets, and draws text there
            tqdm: Any = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return None

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0

    return Bar
