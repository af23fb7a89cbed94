"""A project's wrangler configuration as data.

`read_config` reads `wrangler.json`, `wrangler.jsonc` or `wrangler.toml` (the first there is, wrangler's own order):
the entry module, the compatibility date and flags, Durable Object bindings and `vars`. Nothing is executed.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from dosim.project.bindings import refuse_unsupported
from dosim.project.errors import ProjectError
from dosim.project.jsonc import malformed, parse_jsonc
from dosim.project.python_version import platform_python
from dosim.project.services import Services, read_services
from dosim.workers.global_handlers import has_global_handlers

#: Source: wrangler `findWranglerConfig`.
CONFIG_FILES = ("wrangler.json", "wrangler.jsonc", "wrangler.toml")
#: `wrangler dev` takes the newest date it knows when there is none; dosim takes its own default date.
DEFAULT_COMPATIBILITY_DATE = "2026-11-01"
#: The name `wrangler dev` gives a Worker without one.
DEFAULT_NAME = "worker"

_EXAMPLE = (
    '{"name": "my-worker", "main": "src/entry.py", "compatibility_date": "2026-11-01", '
    '"compatibility_flags": ["python_workers"]}'
)


@dataclass(frozen=True, slots=True)
class DurableObjectBinding:
    """`env.<name>` is a namespace of objects of the entry module's class `class_name`.

    `sqlite` says which storage: False when `migrations` created the class by `new_classes`, else True.
    """

    name: str
    class_name: str
    sqlite: bool


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """What a project folder says about itself; `python_version` is the platform's at its date, such as "3.14".

    `base_dir` is the folder in it where modules are looked for, None for the entry module's own. `global_handlers`: its
    date is so old that handlers are functions of the entry module (`on_fetch`).
    """

    folder: Path
    name: str
    main: str
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    durable_objects: tuple[DurableObjectBinding, ...]
    vars: Mapping[str, object]
    python_version: str
    services: Services = field(default_factory=Services)
    base_dir: str | None = None
    global_handlers: bool = False


def read_config(folder: str | Path) -> ProjectConfig:
    """Read the configuration of the Python Worker in `folder`.

    Raises ProjectError when the folder, its configuration or its entry module is missing or malformed,
    and UnsupportedBinding (a ProjectError) when it uses a binding type that dosim does not have.
    """
    root = _existing_folder(folder)
    path = _config_file(root)
    file = path.name
    settings = _parsed(path)
    refuse_unsupported(settings, file)
    date = _compatibility_date(settings, file)
    flags = _strings(settings.get("compatibility_flags", []), "compatibility_flags", file)
    objects = _durable_objects(settings, file)
    variables = _vars(settings, file)
    services = read_services(settings, root, file)
    variables = {name: value for name, value in variables.items() if name not in services.secrets}
    names = [*(binding.name for binding in objects), *variables, *services.names()]
    for name in names:
        if names.count(name) > 1:
            raise ProjectError(f"{file} gives the name {name} to two bindings or vars: rename one of them.")
    return ProjectConfig(
        folder=root,
        name=_text(settings, "name", file, DEFAULT_NAME),
        main=_main(settings, root, file),
        compatibility_date=date,
        compatibility_flags=flags,
        durable_objects=objects,
        vars=variables,
        python_version=platform_python(date, flags),
        services=services,
        base_dir=_base_dir(settings, root, file),
        global_handlers=has_global_handlers(date, flags),
    )


def _existing_folder(folder: str | Path) -> Path:
    if not isinstance(folder, (str, Path)):
        raise ProjectError(
            f"folder must be a path to a project folder, got {type(folder).__name__}: pass a str or Path."
        )
    root = Path(folder).expanduser()
    if root.is_file():
        raise ProjectError(f"folder {str(folder)!r} is a file: pass the project folder it is in.")
    if not root.is_dir():
        raise ProjectError(
            f"folder {str(folder)!r} does not exist (looked from {Path.cwd()}): pass the path of a Python Worker's "
            "folder, the one with wrangler.jsonc in it."
        )
    return root.resolve()


def _config_file(root: Path) -> Path:
    for name in CONFIG_FILES:
        if (root / name).is_file():
            return root / name
    raise ProjectError(
        f"folder {str(root)!r} has no wrangler.jsonc (nor wrangler.json or wrangler.toml), so it does not say what to "
        f"run: pass a folder that has one, or write one there such as {_EXAMPLE}."
    )


def _parsed(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectError(f"{path.name} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from None
    value = _parsed_toml(text, path.name) if path.suffix == ".toml" else parse_jsonc(text, path.name)
    if not isinstance(value, dict):
        raise ProjectError(f"{path.name} must hold one object such as {_EXAMPLE}, got {type(value).__name__}.")
    return cast("dict[str, object]", value)


def _parsed_toml(text: str, file: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, lines = str(error), text.split("\n")
        place = re.search(r" \(at line (\d+), column (\d+)\)$", reason)
        if place is None:  # "(at end of document)"
            reason = reason.replace(" (at end of document)", ", but the file ends here")
            raise malformed(file, len(lines), len(lines[-1]) + 1, lines[-1], reason) from None
        line_number = int(place[1])
        reason = reason[: place.start()]
        raise malformed(file, line_number, int(place[2]), lines[line_number - 1], reason) from None


def _main(settings: Mapping[str, object], root: Path, file: str) -> str:
    if "main" not in settings:
        raise ProjectError(f'{file} has no "main": add the entry module\'s path, such as "main": "src/entry.py".')
    main = _text(settings, "main", file, "").replace("\\", "/")
    if not main.endswith(".py"):
        raise ProjectError(
            f'{file} says "main": "{main}", which is not a Python file: dosim runs Python Workers, whose entry module '
            'is a .py file such as "src/entry.py".'
        )
    if not (root / main).is_file():
        raise ProjectError(
            f'{file} says "main": "{main}", but there is no such file in {str(root)!r}: correct "main" or add the file.'
        )
    return main


def _base_dir(settings: Mapping[str, object], root: Path, file: str) -> str | None:
    """The root of the modules' names. Source: wrangler `getEntry` (`config.base_dir ?? path.dirname(main)`)."""
    if "base_dir" not in settings:
        return None
    base = _text(settings, "base_dir", file, "").replace("\\", "/")
    if not (root / base).is_dir():
        raise ProjectError(f'{file} says "base_dir": "{base}", which is no folder of the project: correct it.')
    return base


def _compatibility_date(settings: Mapping[str, object], file: str) -> str:
    value = settings.get("compatibility_date", DEFAULT_COMPATIBILITY_DATE)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()  # a TOML date without quotes
    try:
        if not isinstance(value, str) or dt.date.fromisoformat(value).isoformat() != value:
            raise ValueError
    except ValueError:
        raise ProjectError(
            f'{file}: "compatibility_date" must be a date such as "{DEFAULT_COMPATIBILITY_DATE}", got {value!r}.'
        ) from None
    return value


def _vars(settings: Mapping[str, object], file: str) -> dict[str, object]:
    value = settings.get("vars", {})
    if not isinstance(value, dict):
        raise ProjectError(f'{file}: "vars" must be an object of names and values, got {value!r}.')
    return dict(value)


def _durable_objects(settings: Mapping[str, object], file: str) -> tuple[DurableObjectBinding, ...]:
    section = settings.get("durable_objects", {})
    entries = section.get("bindings", []) if isinstance(section, dict) else None
    if not isinstance(entries, list):
        raise ProjectError(
            f'{file}: "durable_objects" must be an object with a list "bindings", such as '
            '{"bindings": [{"name": "ROOM", "class_name": "Room"}]}.'
        )
    sqlite = _sqlite_by_class(settings, file)
    worker = settings.get("name", DEFAULT_NAME)
    bindings = tuple(_durable_object(entry, sqlite, worker, file) for entry in entries)
    names = [binding.name for binding in bindings]
    for name in names:
        if names.count(name) > 1:
            raise ProjectError(f"{file} has two Durable Object bindings named {name}: rename one of them.")
    return bindings


def _durable_object(entry: object, sqlite: Mapping[str, bool], worker: object, file: str) -> DurableObjectBinding:
    name = entry.get("name") if isinstance(entry, dict) else None
    class_name = entry.get("class_name") if isinstance(entry, dict) else None
    if not (isinstance(entry, dict) and name and isinstance(name, str) and class_name and isinstance(class_name, str)):
        raise ProjectError(
            f'{file}: each of "durable_objects"."bindings" needs "name" and "class_name", such as '
            f'{{"name": "ROOM", "class_name": "Room"}}; got {entry!r}.'
        )
    script = entry.get("script_name", worker)
    if script != worker:
        raise ProjectError(
            f"{file} binds {name} to the class {class_name} of another Worker (script_name {script!r}): dosim runs one "
            'Worker; move the class into this project and drop "script_name".'
        )
    return DurableObjectBinding(name, class_name, sqlite.get(class_name, True))


def _sqlite_by_class(settings: Mapping[str, object], file: str) -> dict[str, bool]:
    """Which storage each class has after all migrations, in their order; a rename keeps its storage."""
    migrations = settings.get("migrations", [])
    if not isinstance(migrations, list) or not all(isinstance(step, dict) for step in migrations):
        raise ProjectError(
            f'{file}: "migrations" must be a list such as [{{"tag": "v1", "new_sqlite_classes": ["Room"]}}].'
        )
    sqlite: dict[str, bool] = {}
    for step in migrations:
        for key, value in (("new_classes", False), ("new_sqlite_classes", True)):
            sqlite.update(dict.fromkeys(_strings(step.get(key, []), f"migrations.{key}", file), value))
        for rename in step.get("renamed_classes", []):
            if isinstance(rename, dict) and rename.get("from") in sqlite:
                sqlite[str(rename.get("to"))] = sqlite.pop(rename["from"])
    return sqlite


def _text(settings: Mapping[str, object], key: str, file: str, default: str) -> str:
    value = settings.get(key, default)
    if not isinstance(value, str):
        raise ProjectError(f'{file}: "{key}" must be a string, got {value!r}.')
    return value


def _strings(value: object, key: str, file: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ProjectError(f'{file}: "{key}" must be a list of strings, got {value!r}.')
    return tuple(value)
