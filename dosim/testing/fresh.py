"""A function run in a fresh process, under a PYTHONHASHSEED of its own: what it did comes back as a `Run`.

The process imports the function by its module's name, or loads the module's file; it gets this one's `sys.path`,
working directory, environment and filters of warnings.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final

from dosim.kernel.chooser import Chooser
from dosim.testing.runs import Run, load, noise, run_once, save
from dosim.testing.subjects import Subject

#: Set in a fresh process, so that it starts none of its own.
CHILD: Final = "DOSIM_DETERMINISM_CHILD"
#: The attribute under which a test that runs many times may keep one run of it, a function without parameters.
ONCE: Final = "dosim_once"

_PROGRAM: Final = "import sys; sys.path[:] = {path!r}; from dosim.testing.fresh import main; main()"
_MAIN: Final = "__main__"


def one_run(test: Any) -> Callable[[], Any] | None:
    """One run of a test that runs many times: what it keeps under `ONCE`, of `@simulated` the plain run; else None."""
    kept: Callable[[], Any] | None = getattr(test, ONCE, None)
    subject = getattr(test, "subject", None)
    if kept is not None or not isinstance(subject, Subject) or subject.needs:
        return kept

    def plain() -> None:
        outcome = subject.run(Chooser())
        if outcome.error is not None:
            raise outcome.error

    return plain


def once(function: Callable[..., Any]) -> Callable[..., Any]:
    """What is compared: one run of it where it has many, else the function itself."""
    return one_run(function) or function


def name_of(function: Callable[..., Any]) -> str:
    """The qualified name; that of the test where `@simulated` made a function of it."""
    subject = getattr(function, "subject", None)
    return subject.name if isinstance(subject, Subject) else getattr(function, "__qualname__", "")


def why_not(function: Callable[..., Any]) -> str:
    """Why no other process can have this function, after "because"; "" when it can."""
    if sys.platform == "emscripten":
        return "a browser starts no processes"
    name, module = name_of(function), getattr(function, "__module__", None)
    if not name or not module:
        return "it has no name by which another process could import it"
    if "<lambda>" in name:
        return "a lambda cannot be imported by another process; give a function that is defined at the top of a module"
    if "<locals>" in name:
        return (
            f"{name.replace('<locals>.', '')} is defined inside another function, so no other process can import it;"
            " define it at the top of a module"
        )
    loaded = sys.modules.get(module)
    if module == _MAIN and not _is_script(loaded):
        return "it is defined in a notebook or a console, which no other process can import; put it into a module"
    if loaded is None or _found(loaded, name) is not function:
        return f"{module}.{name} is not this function, so another process would import something else"
    return ""


def _is_script(module: ModuleType | None) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and file.endswith(".py") and "ipykernel" not in file and os.path.exists(file)


def _found(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def run_fresh(function: Callable[..., Any], hash_seed: int, how: str, *, layout: int = 0) -> Run:
    """Run it once in a fresh process. layout: another number, other addresses.

    Raises RuntimeError with what the process said when it could not even call the function.
    """
    module = sys.modules[function.__module__]
    task = {
        "module": _module_name(module),
        "file": getattr(module, "__file__", None),
        "name": name_of(function),
        "filters": _filters(),
        "argv": sys.argv,
        "layout": layout,
    }
    with TemporaryDirectory(prefix="dosim-") as folder:
        program = _PROGRAM.format(path=[str(Path(entry or ".").resolve()) for entry in sys.path])
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps({**task, "folder": folder}),
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed), CHILD: "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        run = load(Path(folder), how)
    if run is None:
        raise RuntimeError(
            f"{function.__module__}.{name_of(function)} could not be run in a fresh process, which ended with"
            f" {done.returncode}:\n{done.stderr.strip()}\nGive hash_seeds=() to leave fresh processes out."
        )
    return run


def _module_name(module: ModuleType) -> str:
    """The name to import it by: a script that was started with `python -m` has one besides "__main__"."""
    spec = getattr(module, "__spec__", None)
    return str(spec.name) if module.__name__ == _MAIN and spec is not None else module.__name__


def main() -> None:
    """In the fresh process: do the task on standard input."""
    task = json.load(sys.stdin)
    sys.argv = task["argv"]
    for form in reversed(task["filters"]):
        _filter(*form)
    function = once(_found(_imported(task["module"], task["file"]), task["name"]))
    with noise(task["layout"]):
        run = run_once(function, "")
    save(run, Path(task["folder"]))


def _imported(name: str, file: str | None) -> ModuleType:
    """The module of this name, if that is this file; else the file, loaded under the name."""
    if name == _MAIN:
        name = "__dosim_main__"  # a script: what it guards with `if __name__ == "__main__"` is left out
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # its parent is no package, or not there
        spec = None
    if file is None or (spec is not None and spec.origin is not None and os.path.samefile(spec.origin, file)):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# -- filters of warnings: a warning that is an error in one process has to be one in the other


def _filters() -> list[list[Any]]:
    """(action, message, category, module, line) of each filter whose category every process has."""
    found = []
    for action, message, category, module, line in warnings.filters:
        if isinstance(category, type) and category.__module__ in ("builtins", "dosim.simulation.errors"):
            name = f"{category.__module__}:{category.__qualname__}"
            found.append([action, _pattern(message), name, _pattern(module), line])
    return found


def _pattern(form: Any) -> str:
    """A filter's regular expression as text; Python's own filters hold plain text."""
    if form is None:
        return ""
    return re.escape(form) + r"\Z" if isinstance(form, str) else str(form.pattern)


def _filter(action: Any, message: str, category: str, module: str, line: int) -> None:
    home, _, name = category.partition(":")
    kind = getattr(builtins if home == "builtins" else importlib.import_module(home), name)
    warnings.filterwarnings(action, message=message, category=kind, module=module, lineno=line)
