"""A world of module globals, as one V8 isolate has: the project's modules, loaded anew, and the platform's shims.

Guarantee: outside `load`, a run-time import of the project and `active`, `sys.modules`, `sys.path` and
`sys.meta_path` are the host's, untouched. Inside, the project's modules and the shims are in `sys.modules`.

How: project code runs with its own `__builtins__`, whose `__import__` decides by the top-level name. Names of the
platform and of the project are imported in the isolate's view; everything else (the standard library, packages
installed in this Python) in the host's view, so that no host module ever sees, or keeps, a project module.

Order of search: shims; the standard library; the entry module's folder, or `base_dir` if the configuration names one;
`python_modules`; this Python's packages.
The platform's is the same. Source: workerd `setupPackages.ts`, `setup_python_search_path.py`.

This Python's packages are shared by all isolates, but for those that `project.installed` says keep an application's
state in themselves (Django): these are loaded anew too, from where they are installed.

Known differences: host code that looks a project module up by name at run time (`pickle`,
`importlib.resources.files("pkg")`, `typing.get_type_hints`) finds it only inside `active`.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.machinery import FileFinder, ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import ClassVar

from dosim.kernel.entropy import undisturbed
from dosim.project.errors import ProjectError
from dosim.project.installed import installed_code, own_environment, own_folder
from dosim.project.python_version import is_standard, needs_newer, parsed_version, removed_in
from dosim.workers.packages import PATCHES

VENDOR_FOLDER = "python_modules"
_COMPILED = frozenset({".so", ".pyd"})

#: Code objects of this process: path -> (source, code). A hundred isolates of one project compile it once.
_code_of: dict[str, tuple[bytes, CodeType]] = {}


class Isolate:
    """One V8-isolate-like world of module globals: loads the project's modules anew.

    `folder` is the project's, `main` the entry module's path in it, `shims` what `import workers`, `import js`, ...
    give (by full module name), `python_version` the platform's Python, `base_dir` the folder in the project in which
    its modules are looked for, None for the entry module's own. `builtins` is the namespace in which project code looks
    up builtins; replace `print` there to replace it for this isolate. Not thread-safe.
    """

    #: The isolate whose modules are in `sys.modules` now; at most one is.
    _current: ClassVar[Isolate | None] = None

    def __init__(
        self,
        folder: Path,
        main: str,
        shims: Mapping[str, ModuleType],
        *,
        python_version: str,
        base_dir: str | None = None,
    ) -> None:
        self.folder = Path(folder).resolve()
        self.path = (self.folder / main).resolve()
        self._base = self.path.parent if base_dir is None else (self.folder / base_dir).resolve()
        self.python_version = python_version
        self.builtins: dict[str, object] = {**vars(builtins), "__import__": self._import}
        self._shims = dict(shims)
        self._platform = parsed_version(python_version)
        util = _View(importlib.util, find_spec=self.find_module)
        own = {"import_module": self.import_module, "__import__": self._import, "util": util}
        self._views: dict[ModuleType, ModuleType] = {importlib: _View(importlib, **own), importlib.util: util}
        if self.path.stem in self._shims:
            raise ProjectError(
                f"{main} would hide the platform's own module `{self.path.stem}`: rename the file, for example to "
                'entry.py, and change "main" in the configuration.'
            )
        self._entry: ModuleType | None = None
        self._start_anew()

    def __repr__(self) -> str:
        return f"<Isolate of {self.folder.name}/{self.path.name}>"

    @property
    def source_folder(self) -> Path:
        """The folder of everything that is the project's: its entry module may lie outside `folder`, beside it."""
        return Path(os.path.commonpath((self.folder, self._base)))

    def load(self) -> ModuleType:
        """Execute the entry module with fresh globals, and with it, anew, every project module it imports.

        Raises ProjectError when the source needs a newer Python than this one, else whatever the source raises.
        """
        self._entry = None
        self._start_anew()
        try:
            with own_environment(), _view(self):
                entry = self._load_entry()
        except (SyntaxError, ImportError, NameError, AttributeError) as error:
            newer = needs_newer(error, self.source_folder, self._platform)
            if newer is not None:
                raise newer from error
            if isinstance(error, ImportError):
                self._add_note(error)
            raise
        self._entry = entry
        return entry

    def exported(self, base: type) -> dict[str, type]:
        """The entry module's public names (or `__all__`) that are subclasses of `base`, by class name.

        `base` itself is not one of them. Source: workerd `src/pyodide/internal/introspection.py`.
        """
        if self._entry is None:
            raise RuntimeError("the isolate has no entry module yet: call load() first.")
        entry = self._entry
        public = [name for name in dir(entry) if not name.startswith("_")]
        names = getattr(entry, "__all__", public)
        values = [getattr(entry, name) for name in names]
        classes = [value for value in values if isinstance(value, type) and issubclass(value, base)]
        return {cls.__name__: cls for cls in classes if cls is not base}

    def active(self) -> AbstractContextManager[None]:
        """Put the isolate's modules into `sys.modules` for a stretch of synchronous code (never across an await)."""
        return _view(self)

    def _load_entry(self) -> ModuleType:
        name = self.path.stem
        spec = importlib.util.spec_from_file_location(name, self.path, loader=_loader(self, name, str(self.path)))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    def _start_anew(self) -> None:
        self._modules: dict[str, ModuleType] = dict(self._shims)
        self._roots = _search_roots(self.folder, self._base)
        self._file_finders: dict[str, FileFinder] = {}
        #: Vendored packages with compiled parts that this Python has no package for.
        self._compiled_only: set[str] = set()
        #: This Python's packages that are loaded anew all the same, and the folder of each.
        self._installed: dict[str, str] = {}
        #: Whether a top-level name is the isolate's: a shim, or found below the project's roots.
        self._is_own = {name.partition(".")[0]: True for name in self._shims} | {self.path.stem: True}

    def _add_note(self, error: ImportError) -> None:
        """Say what only dosim knows about an import that failed."""
        name = error.name or ""
        top = name.partition(".")[0]
        removed = removed_in(top)
        if top in self._compiled_only:
            error.add_note(f"{top} in {VENDOR_FOLDER}/ is compiled for the platform: install {top} in this Python too.")
        elif removed is not None and removed <= self._platform:
            left = ".".join(map(str, removed))
            error.add_note(
                f"{top} left the standard library in Python {left}; this project's is {self.python_version}."
            )
        elif isinstance(error, ModuleNotFoundError) and not self._owns(top):
            error.add_note(
                f"dosim looked for {name} in the project and among the packages of this Python: vendor it into "
                f"{VENDOR_FOLDER}/ as pywrangler does, or install it here."
            )

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  # the names that callers may use
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`__import__` of the project's code."""
        names = fromlist or ()
        if level == 0 and not self._owns(name.partition(".")[0]):
            return self._import_from_host(name, names)
        if level == 0 and Isolate._current is not self and name in self._modules:
            module = self._modules[name if names else name.partition(".")[0]]
            if _has_all(module, names):
                return module  # the usual import inside a function, at the price of a look-up
        with _view(self):
            return builtins.__import__(name, globals, locals, names, level)

    def _import_from_host(self, name: str, names: Sequence[str]) -> ModuleType:
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names and not is_standard(top, self._platform):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)  # only this older Python still has it
        loaded = sys.modules.get(name) if Isolate._current is self else None
        if Isolate._current is None or (loaded is not None and _has_all(loaded, names)):
            module = self._host_import(name, names)
        else:
            with _view(None):
                module = self._host_import(name, names)
        return self._views.get(module, module)

    def _host_import(self, name: str, names: Sequence[str]) -> ModuleType:
        if name in sys.modules and _has_all(sys.modules[name], names):
            return builtins.__import__(name, None, None, names)
        with undisturbed():
            return builtins.__import__(name, None, None, names)

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        """`importlib.import_module` of the project's code."""
        absolute = importlib.util.resolve_name(name, package)
        self._import(absolute)
        with _view(self if self._owns(absolute.partition(".")[0]) else None):
            return importlib.import_module(absolute)

    def find_module(self, name: str, package: str | None = None) -> ModuleSpec | None:
        """`importlib.util.find_spec` of the project's code; it imports the packages that the module is in."""
        absolute = importlib.util.resolve_name(name, package)
        with _view(self if self._owns(absolute.partition(".")[0]) else None):
            return importlib.util.find_spec(absolute)

    def _owns(self, top: str) -> bool:
        if Isolate._current is self and sys.path != self._host_path:
            self._adopt_paths()
        own = self._is_own.get(top)
        if own is None:
            own = self._is_own[top] = self._has_source(top)
            if own and Isolate._current is self:
                self._hide([top])
                self._host_names -= self._hidden.keys()
        return own

    def _has_source(self, top: str) -> bool:
        """Whether the project brings the top-level module `top` as Python source that is to be used."""
        if is_standard(top, self._platform):
            return False
        spec = self._locate(top, self._roots)
        if spec is None:
            return self._takes_over(top)
        folders = spec.submodule_search_locations or []
        if spec.loader is None:
            return any(_suffixes(folder) & {".py"} for folder in folders)
        if any(_suffixes(folder) & _COMPILED for folder in folders):
            # Compiled for the platform (wasm): use this Python's, if there is one.
            if PathFinder.find_spec(top) is not None:
                return False
            self._compiled_only.add(top)
        return True

    def _takes_over(self, top: str) -> bool:
        """Whether the package is one of this Python's that each isolate has for itself."""
        folder = own_folder(top)
        if folder is not None:
            self._installed[top] = folder
        return folder is not None

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Where the project has the module `name`: a meta path finder's method."""
        if not self._owns(name.partition(".")[0]):
            return None
        if path is None:
            path = [self._installed[name]] if name in self._installed else self._roots
        return self._locate(name, path)

    def _locate(self, name: str, folders: Sequence[str]) -> ModuleSpec | None:
        portions: list[str] = []
        for folder in folders:
            spec = self._file_finder(folder).find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
            if spec is not None:
                portions += spec.submodule_search_locations or ()
        if not portions:
            return None
        namespace = ModuleSpec(name, None, is_package=True)
        namespace.submodule_search_locations = portions
        return namespace

    def _file_finder(self, folder: str) -> FileFinder:
        if folder not in self._file_finders:
            details = (lambda name, path: _loader(self, name, path), [".py"])
            self._file_finders[folder] = FileFinder(folder, details)  # type: ignore[arg-type]  # any callable will do
        return self._file_finders[folder]

    def _enter(self) -> None:
        """Make `sys.modules` the isolate's view: host modules of its names away, its own in."""
        self._hidden: dict[str, ModuleType] = {}
        self._host_path = sys.path[:]
        self._host_finders = sys.meta_path[:]
        self._hide([top for top, own in self._is_own.items() if own and top in sys.modules])
        self._host_names = set(sys.modules)
        sys.modules.update(self._modules)
        sys.meta_path.insert(0, self)  # find_spec is all that is asked of a finder

    def _leave(self) -> None:
        """Take the isolate's modules out again and restore what was there."""
        new = [name for name in sys.modules if name not in self._host_names]
        mine = [name for name in new if self._is_mine(name, sys.modules[name])]
        self._modules = {name: sys.modules.pop(name) for name in mine}
        self._is_own |= {name.partition(".")[0]: True for name in mine}
        sys.modules.update(self._hidden)
        self._adopt_paths()
        sys.meta_path[:] = self._host_finders

    def _hide(self, tops: Sequence[str]) -> None:
        if tops:
            for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
                self._hidden[name] = sys.modules.pop(name)

    def _is_mine(self, name: str, module: ModuleType) -> bool:
        """Whether a module that appeared in the view is the project's; else host code imported it by itself."""
        if self._is_own.get(name.partition(".")[0]):
            return True
        spec = getattr(module, "__spec__", None)  # none: the project made the module by hand
        return spec is None or spec.loader is None or isinstance(spec.loader, _ProjectLoader)

    def _adopt_paths(self) -> None:
        """What the project added to `sys.path` becomes a root of this isolate, and leaves `sys.path`."""
        added = [folder for folder in sys.path if folder not in self._host_path]
        sys.path[:] = self._host_path
        if added:
            self._roots += [str(Path(folder).resolve()) for folder in added]
            self._is_own = {top: own for top, own in self._is_own.items() if own}


class _ProjectLoader(SourceFileLoader):
    """Runs a source file with an isolate's builtins. Compiles once per process, writes no .pyc files."""

    isolate: Isolate

    def get_code(self, fullname: str) -> CodeType:
        installed = fullname.partition(".")[0] in self.isolate._installed
        return installed_code(fullname, self.path) if installed else _compiled(self.path)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self.isolate.builtins
        exec(self.get_code(module.__name__), vars(module))
        if (patch := PATCHES.get(module.__name__)) is not None:
            patch(module)


class _View(ModuleType):
    """A module as project code sees it: `importlib.import_module`, say, imports in the isolate."""

    def __init__(self, module: ModuleType, **own: object) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__.update(own, _module=module)

    def __getattr__(self, name: str) -> object:
        return getattr(self._module, name)


@contextmanager
def _view(wanted: Isolate | None) -> Iterator[None]:
    """Make `sys.modules` the view of an isolate, or of the host, and afterwards what it was before."""
    before = Isolate._current
    if wanted is before:
        yield
        return
    _switch(before, wanted)
    try:
        yield
    finally:
        _switch(wanted, before)


def _switch(old: Isolate | None, new: Isolate | None) -> None:
    if old is not None:
        old._leave()
    Isolate._current = new
    if new is not None:
        new._enter()


def _loader(isolate: Isolate, name: str, path: str) -> _ProjectLoader:
    loader = _ProjectLoader(name, path)
    loader.isolate = isolate
    return loader


def _compiled(path: str) -> CodeType:
    source = Path(path).read_bytes()
    known = _code_of.get(path)
    if known is None or known[0] != source:
        known = _code_of[path] = (source, compile(source, path, "exec", dont_inherit=True))
    return known[1]


@cache
def _suffixes(folder: str) -> frozenset[str]:
    """The suffixes of all files below a folder; looked at once per process."""
    return frozenset(file.suffix for file in Path(folder).rglob("*"))


def _search_roots(folder: Path, modules: Path) -> list[str]:
    """The modules' folder, then each `python_modules` beside it or above it, up to the project's folder."""
    above = [modules, *modules.parents]
    depth = above.index(folder) if folder in above else 0
    return [str(modules), *(str(parent / VENDOR_FOLDER) for parent in above[: depth + 1])]


def brings(folder: Path, main: str, base_dir: str | None, top: str) -> bool:
    """Whether a project has, or vendors, a module or a package of Python of this name."""
    root = Path(folder).resolve()
    modules = (root / main).resolve().parent if base_dir is None else (root / base_dir).resolve()
    roots = map(Path, _search_roots(root, modules))
    return any((place / f"{top}.py").is_file() or ".py" in _suffixes(str(place / top)) for place in roots)


def _has_all(module: ModuleType, names: Sequence[str]) -> bool:
    """Whether `from module import names` needs no further import."""
    return all(name != "*" and hasattr(module, name) for name in names)
