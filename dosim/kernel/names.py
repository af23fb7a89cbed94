"""Where code keeps a function it has taken: globals, class attributes, default arguments, closures.

`from time import monotonic` copies the function into the module that says so, and `def get(key, clock=time.monotonic)`
into a default argument. A replacement put into `time` reaches neither, so these places are found, rewritten while a
simulation runs, and written back after.

Searched are every module of your own and every installed package. Not searched: the standard library (its threads
need real time), dosim itself, and tools that run beside simulated code. Not found: a function kept in a list, a dict,
an instance or a `functools.partial` that was made outside the simulation.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from types import CellType, FunctionType, ModuleType
from typing import Any, NamedTuple

#: id of an object to look for: that object (held, so that the id stays its own) and what to put in its place.
Table = Mapping[int, tuple[object, object]]

#: Packages that run beside simulated code and never are it: they keep the real clock.
_TOOLS = frozenset(
    "IPython _pydevd_bundle _pytest coverage debugpy execnet hypothesis ipykernel jupyter_client nest_asyncio"
    " nest_asyncio2 pydevd pytest pytest_timeout time_machine tornado traitlets xdist zmq".split()
)
_INSTALLED = ("site-packages", "dist-packages")


class Patch(NamedTuple):
    """`owner.name` is `virtual` while a simulation runs; `real` is what code may have taken from there before."""

    owner: Any
    name: str
    real: object
    virtual: object


class Slot(ABC):
    """One place that holds `old` and can hold `new`. Swapping in or out a second time does nothing."""

    __slots__ = ("new", "old")

    def __init__(self, old: object, new: object) -> None:
        self.old = old
        self.new = new

    @abstractmethod
    def get(self) -> object: ...

    @abstractmethod
    def set(self, value: object) -> None: ...

    def swap_in(self) -> None:
        """Put `new` there, unless the place was given something else since it was found."""
        if self.get() is self.old:
            self.set(self.new)

    def swap_out(self) -> None:
        """Put `old` back, unless the place was given something else meanwhile."""
        if self.get() is self.new:
            self.set(self.old)


class _Item(Slot):
    """A global, or the default of a keyword-only argument."""

    __slots__ = ("holder", "key")

    def __init__(self, holder: dict[str, object], key: str, old: object, new: object) -> None:
        super().__init__(old, new)
        self.holder = holder
        self.key = key

    def get(self) -> object:
        return self.holder.get(self.key)

    def set(self, value: object) -> None:
        self.holder[self.key] = value


class _Attribute(Slot):
    """An attribute of a class."""

    __slots__ = ("holder", "key")

    def __init__(self, holder: type, key: str, old: object, new: object) -> None:
        super().__init__(old, new)
        self.holder = holder
        self.key = key

    def get(self) -> object:
        return vars(self.holder).get(self.key)

    def set(self, value: object) -> None:
        setattr(self.holder, self.key, value)


class _Default(Slot):
    """The default of a positional argument."""

    __slots__ = ("holder", "index")

    def __init__(self, holder: FunctionType, index: int, old: object, new: object) -> None:
        super().__init__(old, new)
        self.holder = holder
        self.index = index

    def get(self) -> object:
        defaults = self.holder.__defaults__ or ()
        return defaults[self.index] if self.index < len(defaults) else None

    def set(self, value: object) -> None:
        defaults = self.holder.__defaults__ or ()
        self.holder.__defaults__ = (*defaults[: self.index], value, *defaults[self.index + 1 :])


class _Cell(Slot):
    """A variable of an enclosing function."""

    __slots__ = ("cell",)

    def __init__(self, cell: CellType, old: object, new: object) -> None:
        super().__init__(old, new)
        self.cell = cell

    def get(self) -> object:
        return _contents(self.cell)

    def set(self, value: object) -> None:
        self.cell.cell_contents = value


class Namespace:
    """The globals of one module, and the slots found in them."""

    __slots__ = ("_size", "contents", "module", "slots")

    def __init__(self, contents: dict[str, object], module: str) -> None:
        self.contents = contents
        self.module = module
        self.slots: list[Slot] = []
        self._size = -1

    def changed(self) -> bool:
        """Names were added or removed since the last search. In `__main__` cells also bind names anew."""
        return len(self.contents) != self._size or self.module == "__main__"

    def search(self, table: Table) -> None:
        self._size = len(self.contents)
        self.slots = list(slots_in(self.contents, self.module, table))


class Names:
    """The places of one set of functions in all modules. One for the process: modules belong to the process."""

    def __init__(self, patches: Iterable[Patch]) -> None:
        # What is patched in a class is reached through the class, under whatever name that goes.
        pairs = [(patch.real, patch.virtual) for patch in patches if isinstance(patch.owner, ModuleType)]
        self._virtual: Table = {id(real): (real, virtual) for real, virtual in pairs}
        self._real: Table = {id(virtual): (virtual, real) for real, virtual in pairs}
        # An installed module that holds none of these objects has copied no function from them.
        origins = {str(getattr(real, "__module__", "")) for real, _ in pairs} | {"os", "random"}
        self._hints = frozenset(self._virtual) | {id(sys.modules[name]) for name in origins if name in sys.modules}
        self._seen: dict[str, ModuleType] = {}
        self._last: tuple[int, int] = (0, 0)
        self._installed: dict[str, list[Slot]] = {}
        self._own: dict[str, Namespace] = {}

    def swap_in(self, adopted: Collection[Namespace]) -> None:
        """Make every place hold the virtual function."""
        if self._last != (last := _last_module()):
            self._look_at_new_modules()
            self._last = last
        for namespace in (*self._own.values(), *adopted):
            if namespace.changed():
                namespace.search(self._virtual)
        for slot in self._slots(adopted):
            slot.swap_in()

    def swap_out(self, adopted: Collection[Namespace]) -> None:
        """Make every place hold the real function again, names that were bound meanwhile included."""
        for slot in self._slots(adopted):
            slot.swap_out()
        for namespace in (*self._own.values(), *adopted):
            if namespace.changed():
                self._clean(namespace.contents, namespace.module)
        if self._last != _last_module():
            for name, module in list(sys.modules.items()):
                if self._seen.get(name) is not module and isinstance(module, ModuleType):
                    self._clean(vars(module), name)

    def _slots(self, adopted: Collection[Namespace]) -> Iterator[Slot]:
        own = (namespace.slots for namespace in (*self._own.values(), *adopted))
        return chain(*self._installed.values(), *own)

    def _clean(self, contents: dict[str, object], module: str) -> None:
        for slot in slots_in(contents, module, self._real):
            slot.swap_in()

    def _look_at_new_modules(self) -> None:
        modules = {name: module for name, module in list(sys.modules.items()) if isinstance(module, ModuleType)}
        for gone in [name for name, module in self._seen.items() if modules.get(name) is not module]:
            del self._seen[gone]
            self._installed.pop(gone, None)
            self._own.pop(gone, None)
        for name, module in modules.items():
            if name not in self._seen:
                self._seen[name] = module
                if _searched(name):
                    self._add(name, module)

    def _add(self, name: str, module: ModuleType) -> None:
        contents = vars(module)
        if not any(part in (getattr(module, "__file__", None) or "") for part in _INSTALLED):
            self._own[name] = Namespace(contents, name)
        elif not self._hints.isdisjoint(map(id, list(contents.values()))):
            slots = list(slots_in(contents, name, self._virtual))
            if slots:
                self._installed[name] = slots


def namespaces_of(code: ModuleType | type | Callable[..., object]) -> dict[int, Namespace]:
    """What a module, a class (with its bases) or a function brings, by identity.

    A class and a function bring themselves, and the globals their functions see if no loaded module has them.
    """
    if isinstance(code, ModuleType):
        return {id(vars(code)): Namespace(vars(code), code.__name__)}
    found: dict[int, Namespace] = {}
    for item in code.__mro__ if isinstance(code, type) else (code,):
        if not _searched(item.__module__):
            continue
        found[id(item)] = Namespace({item.__name__: item}, item.__module__)
        for function in _functions(list(vars(item).values()) if isinstance(item, type) else [item]):
            contents = function.__globals__
            home = str(contents.get("__name__", item.__module__))
            if getattr(sys.modules.get(home), "__dict__", None) is not contents:
                found.setdefault(id(contents), Namespace(contents, home))
    return found


def slots_in(contents: dict[str, object], module: str, table: Table) -> Iterator[Slot]:
    """Every place of a module's globals, of its own classes and of its own functions, that holds a function sought."""
    seen: set[int] = set()
    for name, value in list(contents.items()):
        if id(value) in table:
            yield _Item(contents, name, *table[id(value)])
        elif type(value) is FunctionType:  # not isinstance: that would evaluate a lazy proxy
            if value.__module__ == module:
                yield from _slots_of_function(value, table, seen)
        elif issubclass(type(value), type) and vars(value).get("__module__") == module:
            yield from _slots_of_class(value, table, seen)  # type: ignore[arg-type]


def _slots_of_class(kind: type, table: Table, seen: set[int]) -> Iterator[Slot]:
    """Attributes of the class, and the places inside its functions and its inner classes."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    for name, member in list(vars(kind).items()):
        if id(member) in table:
            yield _Attribute(kind, name, *table[id(member)])
        elif isinstance(member, staticmethod) and id(member.__func__) in table:
            yield _Attribute(kind, name, member, staticmethod(table[id(member.__func__)][1]))  # type: ignore[arg-type]
        elif issubclass(type(member), type):
            if member.__qualname__ == f"{kind.__qualname__}.{name}":
                yield from _slots_of_class(member, table, seen)
        else:
            for function in _functions([member]):
                yield from _slots_of_function(function, table, seen)


def _slots_of_function(function: FunctionType, table: Table, seen: set[int]) -> Iterator[Slot]:
    """Default arguments and variables of enclosing functions, and the places inside the functions found there."""
    if id(function) in seen:
        return
    seen.add(id(function))
    for index, value in enumerate(function.__defaults__ or ()):
        if id(value) in table:
            yield _Default(function, index, *table[id(value)])
    keywords: dict[str, object] = function.__kwdefaults__ or {}
    for name, value in keywords.items():
        if id(value) in table:
            yield _Item(keywords, name, *table[id(value)])
    for cell in function.__closure__ or ():
        value = _contents(cell)
        if id(value) in table:
            yield _Cell(cell, *table[id(value)])
        elif type(value) is FunctionType:  # what a decorator wraps
            yield from _slots_of_function(value, table, seen)


def _functions(members: Iterable[object]) -> Iterator[FunctionType]:
    """The Python functions behind class members: plain ones, static, class methods, properties."""
    for member in members:
        if type(member) is property:
            yield from _functions([member.fget, member.fset])
        else:
            function = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
            if type(function) is FunctionType:
                yield function


def _contents(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # an empty cell
        return None


def _searched(name: str) -> bool:
    root = name.partition(".")[0]
    if root == "dosim":
        return name.startswith("dosim.scenarios.")  # the simulated code that comes with dosim
    return root not in sys.stdlib_module_names and root not in _TOOLS


def _last_module() -> tuple[int, int]:
    """Changes when a module is loaded, dropped or loaded again: a cheap look at a dict in order of insertion."""
    name = next(reversed(sys.modules), "")
    return len(sys.modules), id(sys.modules.get(name))
