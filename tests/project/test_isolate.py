"""Isolates: unmodified source finds the platform and its own modules, afresh, and the host's modules stay clean."""

from __future__ import annotations

import json
import linecache
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dosim.project import Isolate, ProjectError, read_config
from dosim.project import isolate as isolate_module

WriteProject = Callable[..., Path]
Build = Callable[..., Isolate]


def source(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def test_platform_modules_resolve_to_the_shims(project: WriteProject, isolate: Build, durable_object: type) -> None:
    """Every way of importing the platform's modules gives the shims."""
    folder = project(
        {
            "src/entry.py": source("""
                import js
                import pyodide.ffi
                import pyodide.ffi as ffi
                from js import Date
                from pyodide.ffi import to_js
                from workers import DurableObject

                class Room(DurableObject):
                    pass

                found = [js.Date, Date, pyodide.ffi.to_js(1), ffi.to_js(2), to_js(3)]
            """)
        }
    )

    entry = isolate(folder).load()

    assert ["the platform's Date", "the platform's Date", ("js", 1), ("js", 2), ("js", 3)] == entry.found
    assert issubclass(entry.Room, durable_object)


def test_classes_carry_the_entry_modules_name(project: WriteProject, isolate: Build) -> None:
    """The entry module is named by the stem of its file, so an exception prints as `entry.OutOfStock`."""
    entry = isolate(project({"src/entry.py": "class OutOfStock(Exception): pass\n"})).load()

    assert ("entry", "entry.OutOfStock") == (
        entry.__name__,
        f"{entry.OutOfStock.__module__}.{entry.OutOfStock.__qualname__}",
    )
    assert str(Path("src", "entry.py")) == str(Path(entry.__file__).relative_to(Path(entry.__file__).parents[1]))


def test_sibling_modules_and_packages_are_found(project: WriteProject, isolate: Build) -> None:
    """Modules beside the entry module, packages with relative imports, and folders without `__init__.py`."""
    folder = project(
        {
            "src/entry.py": source("""
                import helper
                import rooms.names
                from rooms import lobby
                from rooms.lobby import title
                from plain.inner import leaf
                found = [helper.X, rooms.names.ALL, lobby.title(), title(), leaf.Y, rooms.__name__]
            """),
            "src/helper.py": "X = 'helper'\n",
            "src/rooms/__init__.py": "from .names import ALL\nfrom . import lobby\n",
            "src/rooms/names.py": "ALL = ['lobby']\n",
            "src/rooms/lobby.py": "def title():\n    from .names import ALL\n    from . import names\n"
            "    return [ALL[0], names.ALL[0]]\n",
            "src/plain/inner/leaf.py": "Y = 'leaf'\n",
        }
    )

    assert ["helper", ["lobby"], ["lobby", "lobby"], ["lobby", "lobby"], "leaf", "rooms"] == isolate(
        folder
    ).load().found


def test_each_isolate_has_its_own_globals(project: WriteProject, isolate: Build) -> None:
    """Two isolates of one project share nothing, nor do two loads of one isolate; inside one, modules are shared."""
    folder = project(
        {
            "src/entry.py": "import state, other\nstate.seen.append(1)\n\ndef seen():\n    import state\n"
            "    return state.seen\n",
            "src/state.py": "seen = []\n",
            "src/other.py": "import state\nstate.seen.append('other')\n",
        }
    )
    one, two = isolate(folder), isolate(folder)
    first, second = one.load(), two.load()
    first.seen().append("first")

    assert (["other", 1, "first"], ["other", 1]) == (first.seen(), second.seen())
    assert ["other", 1] == one.load().seen()
    assert ["other", 1, "first"] == first.state.seen


def test_imports_inside_functions_work_after_loading(project: WriteProject, isolate: Build) -> None:
    """A run-time import gives shims, loaded siblings, and siblings not loaded before, in this isolate only."""
    folder = project(
        {
            "src/entry.py": source("""
                def late():
                    import js
                    from pyodide.ffi import to_js
                    import helper
                    import rooms.lobby
                    from rooms import attic
                    helper.calls += 1
                    return [js.Date, to_js(1), helper.calls, rooms.lobby.X, attic.Y]
            """),
            "src/helper.py": "calls = 0\n",
            "src/rooms/__init__.py": "",
            "src/rooms/lobby.py": "X = 'x'\n",
            "src/rooms/attic.py": "Y = 'y'\n",
        }
    )
    one, two = isolate(folder).load(), isolate(folder).load()

    assert ["the platform's Date", ("js", 1), 1, "x", "y"] == one.late()
    assert 2 == one.late()[2]
    assert 1 == two.late()[2]
    assert not {"entry", "helper", "rooms", "rooms.lobby", "js", "workers"} & sys.modules.keys()


def test_a_failing_import_leaves_nothing(project: WriteProject, isolate: Build) -> None:
    """After an error at load or at run time the host's modules are as before, and a repaired file loads."""
    folder = project(
        {
            "src/entry.py": source("""
                import helper

                def late():
                    import broken

                def probe():
                    try:
                        import nowhere
                    except ImportError as error:
                        return error.name
            """),
            "src/helper.py": "raise RuntimeError('no')\n",
            "src/broken.py": "import helper\n1 / 0\n",
        }
    )
    world = isolate(folder)
    with pytest.raises(RuntimeError, match="no"):
        world.load()
    assert not {"entry", "helper"} & sys.modules.keys()

    (folder / "src/helper.py").write_text("", encoding="utf-8")
    entry = world.load()
    with pytest.raises(ZeroDivisionError):
        entry.late()
    assert "nowhere" == entry.probe()
    assert not {"entry", "helper", "broken"} & sys.modules.keys()


def test_host_modules_of_the_same_name_are_kept_apart(
    project: WriteProject, isolate: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host module named like a project's, or like a shim, is not seen inside and is there again outside."""
    hosts = {name: ModuleType(name) for name in ("helper", "rooms", "rooms.lobby", "js", "js.inner", "entry")}
    for name, module in hosts.items():
        monkeypatch.setitem(sys.modules, name, module)
    folder = project(
        {
            "src/entry.py": source("""
                import helper, js
                from rooms import lobby
                import helper as again
                found = [helper.X, js.Date, lobby.X, again is helper]

                def late():
                    import helper
                    return helper
            """),
            "src/helper.py": "X = 1\n",
            "src/rooms/__init__.py": "",
            "src/rooms/lobby.py": "X = 2\n",
        }
    )

    entry = isolate(folder).load()

    assert [1, "the platform's Date", 2, True] == entry.found
    assert entry.late() is entry.helper
    assert all(sys.modules[name] is module for name, module in hosts.items())


def test_vendored_packages_are_found_beside_and_above(project: WriteProject, isolate: Build) -> None:
    """`python_modules/` beside the entry module and in the project folder; the project's own file comes first."""
    folder = project(
        {
            "src/entry.py": "import near, far, both\nfound = [near.X, far.X, both.X]\n",
            "src/both.py": "X = 'own'\n",
            "src/python_modules/near.py": "X = 'near'\n",
            "python_modules/far/__init__.py": "from .inner import X\n",
            "python_modules/far/inner.py": "import importlib\nX = importlib.import_module('.leaf', 'far').X\n",
            "python_modules/far/leaf.py": "X = 'far'\n",
            "python_modules/both.py": "X = 'vendored'\n",
        }
    )

    assert ["near", "far", "own"] == isolate(folder).load().found


def test_find_spec_looks_in_the_isolate(project: WriteProject, isolate: Build) -> None:
    """`importlib.util.find_spec`, under each of its names: the project's modules, the host's, and None for neither."""
    folder = project(
        {
            "src/entry.py": """
                import importlib
                import importlib.util
                from importlib.util import find_spec

                def look():
                    seen = [find_spec("rooms.lobby"), importlib.util.find_spec(".lobby", "rooms"), find_spec("json")]
                    return [spec.name for spec in seen], find_spec("rooms.attic"), importlib.util.find_spec("attic")
                """.replace("\n                ", "\n"),
            "src/rooms/__init__.py": "",
            "src/rooms/lobby.py": "",
        }
    )
    entry = isolate(folder).load()

    assert (["rooms.lobby", "rooms.lobby", "json"], None, None) == entry.look()
    assert "rooms" not in sys.modules


def test_modules_are_found_below_base_dir(project: WriteProject, isolate: Build) -> None:
    """An entry module in a package: `base_dir` is where names begin, as wrangler has it; the entry keeps its own."""
    folder = project(
        {
            "src/game/server/worker.py": "from game.core import X\nimport near\nfound = [X, near.X, __name__]\n",
            "src/game/core.py": "X = 'core'\n",
            "src/python_modules/near.py": "X = 'near'\n",
        }
    )

    assert ["core", "near", "worker"] == isolate(folder, "src/game/server/worker.py", base_dir="src").load().found
    with pytest.raises(ModuleNotFoundError, match="No module named 'game'"):
        isolate(folder, "src/game/server/worker.py").load()


def test_shims_come_before_vendored_modules(project: WriteProject, isolate: Build, durable_object: type) -> None:
    """pywrangler vendors the SDK as python_modules/workers: the platform's own `workers` is still dosim's."""
    folder = project(
        {
            "src/entry.py": "import workers, asgi\nfound = [workers.DurableObject, asgi.workers]\n",
            "python_modules/workers/__init__.py": "raise RuntimeError('the real SDK needs the real runtime')\n",
            "python_modules/asgi.py": "import workers\n",
        }
    )

    entry = isolate(folder).load()

    assert [durable_object, entry.workers] == entry.found


def test_the_standard_library_comes_before_the_projects_files(project: WriteProject, isolate: Build) -> None:
    """As on the platform, a project's calendar.py is not what `import calendar` gives."""
    folder = project(
        {
            "src/entry.py": "import calendar, email\nfound = [calendar.isleap(2024), hasattr(email, 'X')]\n",
            "src/calendar.py": "X = 1\n",
            "src/email/__init__.py": "X = 1\n",
        }
    )

    assert [True, False] == isolate(folder).load().found


def test_modules_that_left_the_standard_library_are_gone(project: WriteProject, isolate: Build) -> None:
    """Python 3.14 has no `cgi`: importing it fails on any host, and a vendored one is used."""
    folder = project({"src/entry.py": "import cgi\n"})
    with pytest.raises(ModuleNotFoundError, match="No module named 'cgi'") as caught:
        isolate(folder).load()
    assert ["cgi left the standard library in Python 3.13; this project's is 3.14."] == caught.value.__notes__

    folder = project({"src/entry.py": "import cgi\n", "python_modules/cgi.py": "X = 'vendored'\n"})
    assert "vendored" == isolate(folder).load().cgi.X


def test_a_package_compiled_for_the_platform_gives_way_to_the_installed_one(
    project: WriteProject, isolate: Build
) -> None:
    """A vendored package with wasm files cannot run here: this Python's own is taken, or else the vendored source."""
    folder = project(
        {
            "src/entry.py": "import pytest, speedy\nfound = [pytest.__file__, speedy.FAST]\n",
            "python_modules/pytest/__init__.py": "raise RuntimeError('not this one')\n",
            "python_modules/pytest/_core.cpython-314-wasm32-emscripten.so": "",
            "python_modules/speedy/__init__.py": source("""
                try:
                    from . import _fast
                except ImportError:
                    FAST = False
            """),
            "python_modules/speedy/_fast.cpython-314-wasm32-emscripten.so": "",
        }
    )

    assert [pytest.__file__, False] == isolate(folder).load().found

    (folder / "python_modules/speedy/__init__.py").write_text("from ._fast import x\n", encoding="utf-8")
    with pytest.raises(ImportError) as caught:
        isolate(folder).load()
    assert ["speedy in python_modules/ is compiled for the platform: install speedy in this Python too."] == (
        caught.value.__notes__
    )


def test_a_package_that_is_nowhere_is_explained(project: WriteProject, isolate: Build) -> None:
    """The import error of a package that is neither vendored nor installed says where to put it."""
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere'") as caught:
        isolate(project({"src/entry.py": "import nowhere.inner\n"})).load()

    assert "vendor it into python_modules/ as pywrangler does, or install it here" in caught.value.__notes__[0]


def test_import_module_sees_the_isolate(project: WriteProject, isolate: Build) -> None:
    """`importlib.import_module` in project code imports project modules, at load and at run time."""
    folder = project(
        {
            "src/entry.py": source("""
                import importlib
                import importlib.util
                from importlib import import_module

                at_load = import_module("helper")

                def late(name):
                    return importlib.import_module(name)

                def others():
                    return [importlib.import_module("json"), importlib.util.find_spec("json").name]
            """),
            "src/helper.py": "",
            "src/rooms/__init__.py": "",
            "src/rooms/lobby.py": "X = 1\n",
        }
    )
    entry = isolate(folder).load()

    assert entry.late("helper") is entry.at_load
    assert 1 == entry.late("rooms.lobby").X
    assert [json, "json"] == entry.others()
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        entry.late("nowhere")


def test_host_modules_loaded_meanwhile_keep_clean(
    project: WriteProject, isolate: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of the host first imported by a project does not get the project's modules or the shims."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/hosted.py").write_text(
        "found = []\nfor name in ('js', 'helper', 'workers'):\n"
        "    try:\n        __import__(name)\n        found.append(name)\n    except ImportError:\n        pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    folder = project({"src/entry.py": "import helper, hosted\nfound = hosted.found\n", "src/helper.py": ""})

    entry = isolate(folder).load()
    imported = sys.modules.pop("hosted")

    assert imported is entry.hosted
    assert [] == entry.found


def test_what_a_project_does_to_sys_stays_its_own(project: WriteProject, isolate: Build) -> None:
    """Folders added to sys.path, finders and hand-made modules serve the isolate and do not reach the host."""
    folder = project(
        {
            "src/entry.py": source("""
                import os, sys, types
                sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
                import inner

                class Finder:
                    @staticmethod
                    def find_spec(name, path=None, target=None):
                        return None

                sys.meta_path.append(Finder)
                sys.modules["made"] = types.ModuleType("made")
                import made
                assert sys.modules[__name__].made is made

                def late():
                    import inner, made
                    return [inner.X, made.__name__]
            """),
            "src/lib/inner.py": "X = 'inner'\n",
        }
    )
    finders = sys.meta_path[:]
    entry = isolate(folder).load()

    assert ["inner", "made"] == entry.late()
    assert finders == sys.meta_path
    assert not {"made", "inner"} & sys.modules.keys()


def test_lazy_imports_of_the_standard_library_stay(
    project: WriteProject, isolate: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What host code imports by itself while a project loads belongs to the host and stays."""
    monkeypatch.delitem(sys.modules, "email.generator", raising=False)  # what Message.as_string imports when called
    folder = project({"src/entry.py": "from email.message import Message\ntext = Message().as_string()\n"})

    assert "\n" == isolate(folder).load().text
    assert "email.generator" in sys.modules


def test_active_lends_the_modules_to_host_code(project: WriteProject, isolate: Build) -> None:
    """Host code that looks a class up by its module's name finds it inside `active`, nested as well."""
    folder = project({"src/entry.py": "class Room:\n    pass\n"})
    one, two = isolate(folder), isolate(folder)
    first, second = one.load(), two.load()
    with one.active():
        with two.active():
            assert sys.modules["entry"] is second
        with one.active():
            assert sys.modules["entry"] is first
        assert sys.modules["entry"] is first
        import js  # type: ignore[import-not-found]

        assert "the platform's Date" == js.Date

    assert "entry" not in sys.modules


def test_builtins_of_an_isolate_can_be_replaced(project: WriteProject, isolate: Build) -> None:
    """`isolate.builtins` is where the project's code looks up `print`."""
    said: list[object] = []
    world = isolate(project({"src/entry.py": "import helper\nprint('hello')\n", "src/helper.py": "print('helper')\n"}))
    world.builtins["print"] = said.append
    world.load()

    assert ["helper", "hello"] == said


def test_nothing_is_written_into_the_project(project: WriteProject, isolate: Build) -> None:
    """Loading leaves no __pycache__ behind."""
    folder = project({"src/entry.py": "import rooms\n", "src/rooms/__init__.py": ""})
    before = sorted(folder.rglob("*"))
    isolate(folder).load()

    assert before == sorted(folder.rglob("*"))


def test_a_file_is_compiled_once(project: WriteProject, isolate: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second isolate does not compile again; a changed file does, whatever its clock says."""
    compiled: list[str] = []

    def counting(text: bytes, path: str, mode: str, **options: bool) -> object:
        compiled.append(Path(path).name)
        return compile(text, path, mode, **options)

    monkeypatch.setattr(isolate_module, "compile", counting, raising=False)
    folder = project({"src/entry.py": "import helper\n", "src/helper.py": "X = 1\n"})
    isolate(folder).load()
    isolate(folder).load()
    assert ["entry.py", "helper.py"] == compiled

    (folder / "src/helper.py").write_text("X = 2\n", encoding="utf-8")
    assert 2 == isolate(folder).load().helper.X
    assert ["entry.py", "helper.py", "helper.py"] == compiled


def test_tracebacks_can_show_the_source(project: WriteProject, isolate: Build) -> None:
    """Code objects carry the real file and line."""
    entry = isolate(project({"src/entry.py": "def fail():\n    return 1 / 0\n"})).load()
    with pytest.raises(ZeroDivisionError) as caught:
        entry.fail()
    place = caught.traceback[-1]

    assert "return 1 / 0" == linecache.getline(str(place.path), place.lineno + 1).strip()


def test_exported_classes_are_the_public_subclasses(
    project: WriteProject, isolate: Build, durable_object: type
) -> None:
    """Public names that are subclasses, by class name; imported ones too; not the base, nor private ones."""
    folder = project(
        {
            "src/entry.py": source("""
                from workers import DurableObject
                from helper import Imported

                class Room(DurableObject): ...
                class _Hidden(DurableObject): ...
                class Other: ...
                Alias = type("Named", (DurableObject,), {})
            """),
            "src/helper.py": "from workers import DurableObject\nclass Imported(DurableObject): ...\n",
        }
    )
    world = isolate(folder)
    entry = world.load()

    assert {"Named": entry.Alias, "Imported": entry.Imported, "Room": entry.Room} == world.exported(durable_object)


def test_exported_classes_follow_all(project: WriteProject, isolate: Build, durable_object: type) -> None:
    """`__all__` decides when there is one, an empty one too."""
    text = "from workers import DurableObject\nclass Room(DurableObject): ...\nclass _Hall(DurableObject): ...\n"
    world = isolate(project({"src/entry.py": text + "__all__ = ['_Hall']\n"}))
    world.load()
    assert ["_Hall"] == list(world.exported(durable_object))

    world = isolate(project({"src/entry.py": text + "__all__ = []\n"}))
    world.load()
    assert {} == world.exported(durable_object)


def test_exported_before_load_is_refused(project: WriteProject, isolate: Build, durable_object: type) -> None:
    """There is nothing to export before the entry module has run."""
    with pytest.raises(RuntimeError, match=r"call load\(\) first"):
        isolate(project()).exported(durable_object)


def test_an_entry_module_named_like_a_shim_is_refused(project: WriteProject, isolate: Build) -> None:
    """src/workers.py as the entry module would hide the platform's `workers`."""
    folder = project({"src/workers.py": ""})
    with pytest.raises(ProjectError, match=r"^src/workers\.py would hide the platform's own module `workers`: rename"):
        isolate(folder, "src/workers.py")


def test_an_entry_module_at_the_top_of_the_folder_loads(project: WriteProject, isolate: Build) -> None:
    """`main` may be a file beside wrangler.jsonc; other folders there do not get in the way."""
    folder = project(
        {
            "worker.py": "import helper, json\nX = helper.X\n",
            "helper.py": "X = 1\n",
            "json/data.txt": "",
            "email/x.html": "",
        },
        main="worker.py",
    )
    config = read_config(folder)
    entry = isolate(folder, config.main, config.python_version).load()

    assert ("worker", 1) == (entry.__name__, entry.X)
    assert entry.json is json


def test_runtime_annotations_and_dataclasses_work_while_loading(project: WriteProject, isolate: Build) -> None:
    """Dataclasses with text annotations look their module up in sys.modules: it is there."""
    folder = project(
        {
            "src/entry.py": source("""
                from __future__ import annotations
                import dataclasses, typing

                @dataclasses.dataclass
                class Bid:
                    amount: int
                    by: typing.ClassVar[str] = "ann"

                hints = typing.get_type_hints(Bid)
            """)
        }
    )
    entry = isolate(folder).load()

    assert {"amount", "by"} == set(entry.hints)
    assert 3 == entry.Bid(3).amount
