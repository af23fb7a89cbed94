"""Loading a project folder into isolates: its classes, checked against its configuration."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dosim.project import Isolate, ProjectError
from dosim.simulation.isolates import LoadedIsolate
from dosim.workers.console import simulated_print
from dosim.workers.entrypoints import DurableObject, WorkerEntrypoint

if TYPE_CHECKING:
    from dosim.project import ProjectConfig


def shims() -> dict[str, ModuleType]:
    """The platform's modules by the names that a project imports."""
    from dosim import workers
    from dosim.workers import ffi, js, pyodide_http, rpc

    pyodide = ModuleType("pyodide", "Pyodide, as far as a Worker needs it.")
    pyodide.__dict__.update(__version__="314.0.6", ffi=ffi, http=pyodide_http)
    return {
        "workers": workers,
        "workers.rpc": rpc,
        "js": js,
        "pyodide": pyodide,
        "pyodide.ffi": ffi,
        "pyodide.http": pyodide_http,
    }


def project_loader(config: ProjectConfig) -> Callable[[Any], Callable[[], LoadedIsolate]]:
    """Loads the project's entry module anew, once for every isolate."""
    modules = shims()

    def bind(env: Any) -> Callable[[], LoadedIsolate]:
        def load() -> LoadedIsolate:
            isolate = Isolate(config.folder, config.main, modules, python_version=config.python_version)
            isolate.builtins["print"] = simulated_print
            isolate.load()
            classes = isolate.exported(DurableObject)
            for binding in config.durable_objects:
                if binding.class_name not in classes:
                    found = ", ".join(sorted(classes)) or "no DurableObject class"
                    raise ProjectError(
                        f"the configuration binds {binding.name} to class {binding.class_name}, and {config.main}"
                        f" exports {found}: define `class {binding.class_name}(DurableObject)` there, or correct"
                        " class_name."
                    )
            return LoadedIsolate(isolate.exported(WorkerEntrypoint).get("Default"), classes, env)

        return load

    return bind
