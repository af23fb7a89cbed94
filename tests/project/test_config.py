"""wrangler configuration: what is read, what is accepted and ignored, what is refused and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dosim.project import DurableObjectBinding, ProjectError, UnsupportedBinding, read_config

WriteProject = Callable[..., Path]

ROOM = {"name": "ROOM", "class_name": "Room"}


def test_a_whole_configuration_becomes_data(project: WriteProject) -> None:
    """Name, entry module, date, flags, objects and nested vars; the Python follows the date."""
    folder = project(
        compatibility_flags=["python_workers"],
        durable_objects={"bindings": [ROOM, {"name": "LEDGER", "class_name": "Ledger"}]},
        migrations=[{"tag": "v1", "new_sqlite_classes": ["Room"]}, {"tag": "v2", "new_classes": ["Ledger"]}],
        vars={"LIMIT": 3, "NESTED": {"a": [1, {"b": None}]}},
    )

    config = read_config(folder)

    assert ("app", "src/entry.py", "2026-11-01") == (config.name, config.main, config.compatibility_date)
    assert folder.resolve() == config.folder
    assert ("python_workers",) == config.compatibility_flags
    assert (
        DurableObjectBinding("ROOM", "Room", sqlite=True),
        DurableObjectBinding("LEDGER", "Ledger", sqlite=False),
    ) == config.durable_objects
    assert {"LIMIT": 3, "NESTED": {"a": [1, {"b": None}]}} == config.vars
    assert "3.14" == config.python_version


def test_a_small_configuration_has_defaults(project: WriteProject) -> None:
    """Only `main` must be there; an object without a migration has SQLite storage."""
    config = read_config(str(project({"wrangler.jsonc": '{"main": "src/entry.py", "durable_objects": {}}'})))

    assert ("worker", "2026-11-01", (), (), {}) == (
        config.name,
        config.compatibility_date,
        config.compatibility_flags,
        config.durable_objects,
        config.vars,
    )
    folder = project(durable_objects={"bindings": [ROOM]})
    assert read_config(folder).durable_objects[0].sqlite


def test_the_modules_folder_and_old_handlers(project: WriteProject) -> None:
    """`base_dir` is a folder of the project; before 2025-08-14 handlers are functions of the entry module."""
    config = read_config(project(base_dir="src", compatibility_date="2025-08-13"))
    assert ("src", True) == (config.base_dir, config.global_handlers)

    config = read_config(project())
    assert (None, False) == (config.base_dir, config.global_handlers)

    with pytest.raises(ProjectError, match=r'wrangler\.jsonc says "base_dir": "lib", which is no folder'):
        read_config(project(base_dir="lib"))


def test_a_renamed_class_keeps_its_storage(project: WriteProject) -> None:
    """Migrations apply in order: created by new_classes, then renamed, is still without SQLite."""
    folder = project(
        durable_objects={"bindings": [ROOM]},
        migrations=[
            {"tag": "v1", "new_classes": ["OldRoom"]},
            {"tag": "v2", "renamed_classes": [{"from": "OldRoom", "to": "Room"}]},
        ],
    )

    assert not read_config(folder).durable_objects[0].sqlite


def test_toml_and_json_are_read_too(project: WriteProject) -> None:
    """wrangler.toml and wrangler.json say the same; wrangler.json is looked for first, as wrangler does."""
    toml = """
name = "from-toml"
main = "src/entry.py"
compatibility_date = 2025-10-01
compatibility_flags = ["python_workers"]
[vars]
GREETING = "hi"
[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"
"""
    folder = project({"wrangler.toml": toml})
    (folder / "wrangler.jsonc").unlink()
    config = read_config(folder)

    assert ("from-toml", "2025-10-01", "3.13") == (config.name, config.compatibility_date, config.python_version)
    assert {"GREETING": "hi"} == config.vars
    assert (DurableObjectBinding("ROOM", "Room", sqlite=True),) == config.durable_objects

    (folder / "wrangler.json").write_text('{"main": "src/entry.py", "name": "from-json", /* c */ }', encoding="utf-8")
    assert "from-json" == read_config(folder).name


def test_keys_about_deploying_are_accepted(project: WriteProject) -> None:
    """What changes nothing a Worker can see, and empty binding lists, are no errors."""
    folder = project(
        **{"$schema": "node_modules/wrangler/config-schema.json", "workers_dev": True, "routes": ["app.example/*"]},
        observability={"enabled": True},
        placement={"mode": "smart"},
        dev={"port": 8787},
        limits={"cpu_ms": 50},
        env={"staging": {"kv_namespaces": [{"binding": "CACHE"}]}},
        kv_namespaces=[],
        queues={"producers": [], "consumers": []},
        triggers={"crons": []},
        tail_consumers=[{"service": "tail"}],
    )

    assert "app" == read_config(folder).name


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        (
            {"hyperdrive": [{"binding": "PG"}]},
            "hyperdrive",
            "jsonc binds a Hyperdrive database (PG): dosim has no Hyperdrive bindings yet; it has durable_objects,",
        ),
        ({"workflows": [{"binding": "FLOW", "class_name": "Flow"}]}, "workflows", "binds a Workflow (FLOW)"),
        ({"ai": {"binding": "AI"}}, "ai", "binds Workers AI (AI)"),
        ({"send_email": [{"name": "MAIL"}]}, "send_email", "binds an email sender (MAIL)"),
        ({"wasm_modules": {"MATH": "math.wasm"}}, "wasm_modules", "binds a WebAssembly module (MATH)"),
        ({"quantum_bits": [{"binding": "Q"}]}, "quantum_bits", "binds quantum_bits (Q): dosim has no quantum_bits"),
    ],
)
def test_a_binding_type_that_is_not_there_is_named(
    project: WriteProject, settings: dict[str, object], kind: str, message: str
) -> None:
    """Each binding type dosim lacks is an error with its name and the binding's; unknown ones as well."""
    with pytest.raises(UnsupportedBinding) as caught:
        read_config(project(**settings))

    assert message in str(caught.value)
    assert "queues, services, triggers.crons and assets." in str(caught.value)
    assert (kind,) == caught.value.kinds


def test_all_missing_binding_types_are_named_at_once(project: WriteProject) -> None:
    """A project with two of them learns of both in one error."""
    with pytest.raises(ProjectError, match="dosim has no AI bindings and no Vectorize bindings yet") as caught:
        read_config(project(ai={"binding": "AI"}, vectorize=[{"binding": "INDEX"}]))

    assert "binds Workers AI (AI), binds a Vectorize index (INDEX)" in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"main": "src/gone.py"}, '"main": "src/gone.py", but there is no such file'),
        ({"main": "src/index.ts"}, "not a Python file"),
        ({"main": 5}, '"main" must be a string, got 5'),
        ({"name": ["app"]}, '"name" must be a string'),
        ({"compatibility_date": "yesterday"}, '"compatibility_date" must be a date such as'),
        ({"compatibility_date": 20261101}, '"compatibility_date" must be a date such as'),
        ({"compatibility_flags": "python_workers"}, '"compatibility_flags" must be a list of strings'),
        ({"vars": ["A"]}, '"vars" must be an object'),
        ({"durable_objects": [ROOM]}, '"durable_objects" must be an object with a list "bindings"'),
        ({"durable_objects": {"bindings": [{"name": "ROOM"}]}}, 'needs "name" and "class_name"'),
        ({"durable_objects": {"bindings": [ROOM, ROOM]}}, "two Durable Object bindings named ROOM"),
        ({"durable_objects": {"bindings": [ROOM | {"script_name": "other"}]}}, "dosim runs one Worker"),
        ({"durable_objects": {"bindings": [ROOM]}, "vars": {"ROOM": 1}}, "the name ROOM to two bindings or vars"),
        ({"migrations": {"tag": "v1"}}, '"migrations" must be a list'),
        ({"migrations": [{"tag": "v1", "new_classes": "Room"}]}, '"migrations.new_classes" must be a list of strings'),
    ],
)
def test_a_wrong_value_is_named(project: WriteProject, settings: dict[str, object], message: str) -> None:
    """A value of the wrong kind is one paragraph that names the file, the key and what to write."""
    with pytest.raises(ProjectError) as caught:
        read_config(project(**settings))

    assert message in str(caught.value)
    assert str(caught.value).startswith("wrangler.jsonc")
    assert "\n" not in str(caught.value)


def test_a_script_name_that_is_this_worker_is_accepted(project: WriteProject) -> None:
    """`script_name` may say the project's own name."""
    folder = project(durable_objects={"bindings": [ROOM | {"script_name": "app"}]})

    assert "Room" == read_config(folder).durable_objects[0].class_name


def test_a_missing_main_is_said(project: WriteProject) -> None:
    """Without `main` there is nothing to run."""
    with pytest.raises(ProjectError, match=r'^wrangler\.jsonc has no "main": add .* "main": "src/entry\.py"'):
        read_config(project({"wrangler.jsonc": "{}"}))


def test_a_configuration_that_is_no_object_is_refused(project: WriteProject) -> None:
    """A list at the top is not a configuration."""
    with pytest.raises(ProjectError, match=r"must hold one object .* got list"):
        read_config(project({"wrangler.jsonc": "[]"}))


def test_malformed_jsonc_gives_line_and_column(project: WriteProject) -> None:
    """The error of a malformed configuration names the file and the place."""
    with pytest.raises(ProjectError, match=r"^wrangler.jsonc, line 2, column 11: Expecting value\."):
        read_config(project({"wrangler.jsonc": '{\n  "main": src/entry.py\n}'}))


def test_malformed_toml_gives_line_and_column(project: WriteProject) -> None:
    """So does wrangler.toml's, also where it ends too early."""
    folder = project()
    (folder / "wrangler.jsonc").unlink()
    (folder / "wrangler.toml").write_text('name = "x"\nmain = src/entry.py\n', encoding="utf-8")
    with pytest.raises(
        ProjectError, match=r"^wrangler.toml, line 2, column 8: .* The line reads `main = src/entry.py`"
    ):
        read_config(folder)

    (folder / "wrangler.toml").write_text('name = "x"\nmain = "src', encoding="utf-8")
    with pytest.raises(ProjectError, match=r"^wrangler.toml, line 2, column 12: "):
        read_config(folder)


def test_a_folder_without_configuration_is_said(tmp_path: Path) -> None:
    """The error names the argument and shows a configuration to write."""
    with pytest.raises(
        ProjectError, match=r"^folder '.*' has no wrangler.jsonc .* pass a folder that has one, or write"
    ):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone", "does not exist"),
        ("file.py", "is a file: pass the project folder it is in"),
    ],
)
def test_a_folder_that_is_none_is_said(tmp_path: Path, path: str, message: str) -> None:
    """A path that does not exist and a path of a file are told apart."""
    (tmp_path / "file.py").write_text("", encoding="utf-8")
    with pytest.raises(ProjectError, match=message) as caught:
        read_config(tmp_path / path)

    assert str(caught.value).startswith("folder ")


def test_a_folder_of_the_wrong_type_is_said() -> None:
    """Anything but a str or Path is refused by name."""
    with pytest.raises(ProjectError, match="folder must be a path to a project folder, got int"):
        read_config(7)  # type: ignore[arg-type]


def test_a_configuration_in_another_encoding_is_said(project: WriteProject) -> None:
    """Latin-1 text is not taken for UTF-8."""
    folder = project()
    (folder / "wrangler.jsonc").write_bytes('{"name": "Zürich"}'.encode("latin-1"))
    with pytest.raises(ProjectError, match=r"wrangler.jsonc is not UTF-8 text \(byte 11\)"):
        read_config(folder)
