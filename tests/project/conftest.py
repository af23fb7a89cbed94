"""Projects written by a test, and the shims an isolate is given."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import cronsim  # noqa: F401 (dosim's own, loaded when a cron is read: here before any test looks)
import pytest

from dosim.project import Isolate

with suppress(ImportError):  # dask's, on older Pythons: it loads its parts when somebody asks for a package's metadata
    import importlib_metadata._adapters
    import importlib_metadata._text  # noqa: F401

WriteProject = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> WriteProject:
    """Write files of a project below tmp_path/app, by path; keys of `settings` go into its wrangler.jsonc."""

    def write(files: dict[str, str] | None = None, **settings: object) -> Path:
        folder = tmp_path / "app"
        whole = {"name": "app", "main": "src/entry.py", "compatibility_date": "2026-11-01"} | settings
        for path, text in ({"src/entry.py": "", "wrangler.jsonc": json.dumps(whole, indent=2)} | (files or {})).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
        return folder

    return write


@pytest.fixture
def durable_object() -> type:
    """Stands for `workers.DurableObject`."""
    return type("DurableObject", (), {})


@pytest.fixture
def shims(durable_object: type) -> dict[str, ModuleType]:
    """The platform's modules, as far as these tests import them."""
    modules = {name: ModuleType(name) for name in ("workers", "js", "pyodide", "pyodide.ffi")}
    modules["workers"].DurableObject = durable_object
    modules["js"].Date = "the platform's Date"
    modules["pyodide.ffi"].to_js = lambda value: ("js", value)
    modules["pyodide"].ffi = modules["pyodide.ffi"]
    return modules


@pytest.fixture
def isolate(shims: dict[str, ModuleType]) -> Callable[..., Isolate]:
    """An isolate of a project folder."""

    def build(
        folder: Path, main: str = "src/entry.py", python_version: str = "3.14", base_dir: str | None = None
    ) -> Isolate:
        return Isolate(folder, main, shims, python_version=python_version, base_dir=base_dir)

    return build


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Whatever a test loads, `sys.path`, `sys.meta_path` and `sys.modules` end as they began."""
    path, finders, modules = sys.path[:], sys.meta_path[:], dict(sys.modules)
    yield
    added = [name for name in sys.modules if name not in modules]
    foreign = [name for name in added if name.partition(".")[0] not in sys.stdlib_module_names]

    assert (path, finders) == (sys.path, sys.meta_path)
    assert not foreign
    assert all(sys.modules[name] is module for name, module in modules.items())
