"""Loading a project folder into isolates: its classes, checked against its configuration."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dosim.project import Isolate, ProjectError, brings
from dosim.project.python_version import innermost_place
from dosim.simulation.deployment import Script
from dosim.simulation.isolates import Binding, LoadedIsolate
from dosim.workers.console import simulated_print
from dosim.workers.entrypoints import DurableObject, WorkerEntrypoint
from dosim.workers.global_handlers import old_entrypoints, old_objects

if TYPE_CHECKING:
    from dosim.project import ProjectConfig


class LoadError(ProjectError):
    """The project's modules do not load: file, line, error and fix in one paragraph. `__cause__` is the error."""


def shims() -> dict[str, ModuleType]:
    """The platform's modules by the names that a project imports, and the Agents SDK as `agents`."""
    from dosim import agents, workers
    from dosim.workers import asgi, ffi, gateway, js, pyodide_http, rpc, wsgi

    pyodide = ModuleType("pyodide", "Pyodide, as far as a Worker needs it.")
    pyodide.__dict__.update(__version__="314.0.6", ffi=ffi, http=pyodide_http)
    parts = {name: module for name, module in sys.modules.items() if name.startswith(f"{agents.__name__}.")}
    return {
        "agents": agents,
        **{name.removeprefix("dosim."): module for name, module in sorted(parts.items())},
        "workers": workers,
        "workers.asgi": asgi,
        "workers.gateway": gateway,
        "workers.rpc": rpc,
        "workers.wsgi": wsgi,
        "asgi": asgi,
        "js": js,
        "pyodide": pyodide,
        "pyodide.ffi": ffi,
        "pyodide.http": pyodide_http,
    }


def project_script(config: ProjectConfig, name: str) -> Script:
    """A project as a script to deploy, under the name by which others bind it."""
    bindings = [Binding(b.name, b.class_name, sqlite=b.sqlite, script=config.name) for b in config.durable_objects]
    return Script(name, bindings, project_loader(config), config.vars, config.services, config.folder)


def project_loader(config: ProjectConfig) -> Callable[[Any], Callable[[], LoadedIsolate]]:
    """Loads the project's entry module anew, once for every isolate."""
    modules = shims()
    if brings(config.folder, config.main, config.base_dir, "agents"):
        modules = {name: module for name, module in modules.items() if name.partition(".")[0] != "agents"}

    def bind(env: Any) -> Callable[[], LoadedIsolate]:
        def load() -> LoadedIsolate:
            isolate = Isolate(
                config.folder,
                config.main,
                modules,
                python_version=config.python_version,
                base_dir=config.base_dir,
            )
            isolate.builtins["print"] = simulated_print
            try:
                entry = isolate.load()
                classes = isolate.exported(DurableObject)
                entrypoints = isolate.exported(WorkerEntrypoint)
                if config.global_handlers:
                    classes, entrypoints = old_objects(classes), old_entrypoints(entry, entrypoints)
            except ProjectError:
                raise
            except (Exception, SystemExit) as error:  # whatever the project's own modules raise
                raise LoadError(_failure(error, isolate, config.main, modules)) from error
            for binding in config.durable_objects:
                if binding.class_name not in classes:
                    found = ", ".join(sorted(classes)) or "no DurableObject class"
                    raise ProjectError(
                        f"the configuration binds {binding.name} to class {binding.class_name}, and {config.main}"
                        f" exports {found}: define `class {binding.class_name}(DurableObject)` there, or correct"
                        " class_name."
                    )
            return LoadedIsolate(entrypoints, classes, env)

        return load

    return bind


# -- a module that does not load


def _failure(error: BaseException, isolate: Isolate, main: str, modules: dict[str, ModuleType]) -> str:
    """One paragraph: file and line in the project, the line, the error, what to do."""
    folder = isolate.folder
    file, number = _place(error, isolate.source_folder) or (folder / main, 0)
    place = Path(os.path.relpath(file, folder)).as_posix() + (f", line {number}" if number else "")
    line = "" if isinstance(error, ImportError) else _source_line(file, number)  # it says the line's names itself
    said = " ".join(_said(error, folder, modules).split()).rstrip(".")
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{place}: {what}{f' in `{line}`' if line else ''}. {_fix(error, modules)}"


def _place(error: BaseException, folder: Path) -> tuple[Path, int] | None:
    """File and line of the project that failed: where the syntax is wrong, else the innermost frame of its source."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(folder):
        return Path(error.filename), error.lineno or 0
    return innermost_place(error.__traceback__, folder)


def _source_line(file: Path, number: int) -> str:
    lines = file.read_text("utf-8", errors="replace").split("\n") if number else []
    return lines[number - 1].strip() if number <= len(lines) and number else ""


def _said(error: BaseException, folder: Path, modules: dict[str, ModuleType]) -> str:
    """The error's own text, with the names and paths that the project's author knows."""
    if isinstance(error, SyntaxError):
        return error.msg
    text = str(error)
    if isinstance(error, ImportError):
        text = re.sub(r"( from '[^']*') \((?:/|[A-Z]:).*\)$", r"\1", text)
        name = _shim_name(error, modules)
        if name:
            text = text.replace(f"'{error.name}'", f"'{name}'")
    return text.replace(f"{folder}/", "")


def _fix(error: BaseException, modules: dict[str, ModuleType]) -> str:
    notes = [*getattr(error, "__notes__", ())]
    if notes:
        return " ".join(notes)
    if isinstance(error, SyntaxError):
        return "Correct that line, or the one before it."
    if isinstance(error, ImportError):
        name = _shim_name(error, modules)
        if name:
            has = ", ".join(sorted(getattr(modules[name], "__all__", ()), key=str.casefold))
            return f"dosim's `{name}` does not have it{f', it has {has}' if has else ''}: leave the import out."
        return "Correct the name, or add it to the module that it is imported from."
    return "The module runs once when it is loaded, before any request: correct it, or do this in a handler."


def _shim_name(error: ImportError, modules: dict[str, ModuleType]) -> str:
    """The platform's name of the module that lacked a name; "" if it is none of the platform's."""
    return next((name for name, module in modules.items() if error.name in (name, module.__name__)), "")
