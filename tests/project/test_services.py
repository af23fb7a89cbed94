"""What a configuration binds besides objects and vars: every key as data, and each wrong value with its fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dosim.bindings.queues import ConsumerSettings
from dosim.platform.facts import SECOND_US
from dosim.project import ProjectError, read_config
from dosim.project.services import AssetsFolder, Consumer, Producer, Service, Services, Store, consumer
from tests.project.conftest import WriteProject


def services(project: WriteProject, files: dict[str, str] | None = None, **settings: Any) -> Services:
    return read_config(project(files, **settings)).services


def refusal(project: WriteProject, files: dict[str, str] | None = None, **settings: Any) -> str:
    """The text of the ProjectError for this configuration."""
    with pytest.raises(ProjectError) as caught:
        read_config(project(files, **settings))
    return str(caught.value)


# -- every key


def test_nothing_is_bound(project: WriteProject) -> None:
    """A project without any of it."""
    assert Services() == services(project)
    assert [] == Services().names()


def test_namespaces_buckets_and_databases(project: WriteProject) -> None:
    """Each by its id; without one by its binding. A D1 database is known by its name, then by its id."""
    found = services(
        project,
        kv_namespaces=[{"binding": "A", "id": "1"}, {"binding": "B", "preview_id": "2"}],
        r2_buckets=[{"binding": "C", "bucket_name": "files"}, {"binding": "D"}],
        d1_databases=[
            {"binding": "E", "database_name": "people", "database_id": "3", "migrations_dir": "sql"},
            {"binding": "F", "database_id": "4"},
            {"binding": "G"},
        ],
    )

    assert (Store("A", "1"), Store("B", "B")) == found.kv
    assert (Store("C", "files"), Store("D", "D")) == found.r2
    assert (Store("E", "people", "sql"), Store("F", "4"), Store("G", "G")) == found.d1
    assert list("ABCDEFG") == found.names()


def test_queues(project: WriteProject) -> None:
    """Producers with their delay, consumers with every setting; times in wrangler are seconds."""
    settings = {
        "max_batch_size": 20,
        "max_batch_timeout": 30,
        "max_retries": 7,
        "retry_delay": 60,
        "dead_letter_queue": "dead",
        "max_concurrency": 2,
    }
    found = services(
        project,
        queues={
            "producers": [
                {"binding": "JOBS", "queue": "jobs", "delivery_delay": 5},
                {"binding": "MAIL", "queue": "mail"},
            ],
            "consumers": [{"queue": "jobs", **settings}, {"queue": "mail", "max_concurrency": None}],
        },
    )
    whole = ConsumerSettings(
        max_batch_size=20,
        max_batch_timeout_us=30 * SECOND_US,
        max_retries=7,
        retry_delay_us=60 * SECOND_US,
        dead_letter_queue="dead",
        max_concurrency=2,
    )

    assert (Producer("JOBS", "jobs", 5 * SECOND_US), Producer("MAIL", "mail")) == found.producers
    assert (Consumer("jobs", whole), Consumer("mail", ConsumerSettings())) == found.consumers
    assert ["JOBS", "MAIL"] == found.names()


def test_seconds_may_be_written_with_a_unit() -> None:
    """As everywhere in dosim; a number alone is wrangler's seconds."""
    found = consumer({"queue": "jobs", "max_batch_timeout": "500ms", "retry_delay": "1m"}, "x")
    assert (500_000, 60 * SECOND_US) == (found.settings.max_batch_timeout_us, found.settings.retry_delay_us)


def test_service_bindings(project: WriteProject) -> None:
    """The default entrypoint unless another is named."""
    found = services(
        project,
        services=[{"binding": "A", "service": "other"}, {"binding": "B", "service": "other", "entrypoint": "Admin"}],
    )
    assert (Service("A", "other", "Default"), Service("B", "other", "Admin")) == found.services


def test_crons(project: WriteProject) -> None:
    """As they are written."""
    assert ("* * * * *", "0 9 * * 2") == services(project, triggers={"crons": ["* * * * *", "0 9 * * 2"]}).crons
    assert () == services(project, triggers={}).crons == services(project, triggers={"crons": []}).crons


def test_assets(project: WriteProject) -> None:
    """The folder counts from the project's; every setting, and the defaults."""
    files = {"public/a.txt": "a"}
    whole = {
        "directory": "./public",
        "binding": "FILES",
        "html_handling": "none",
        "not_found_handling": "404-page",
        "run_worker_first": True,
    }
    folder = project(files)
    directory = (folder / "public").resolve()

    assert AssetsFolder(directory, "FILES", "none", "404-page", True) == services(project, files, assets=whole).assets
    assert AssetsFolder(directory) == services(project, files, assets={"directory": "public"}).assets
    assert ["FILES"] == services(project, files, assets=whole).names()


def test_secrets(project: WriteProject) -> None:
    """`.dev.vars`, else `.env`; texts by their names."""
    assert {"A": "1", "B": "two words"} == services(project, {".dev.vars": "A=1\nB='two words'\n"}).secrets
    assert {"A": "2"} == services(project, {".env": "A=2", ".dev.vars": "A=2"}).secrets


def test_a_toml_configuration(project: WriteProject, tmp_path: Path) -> None:
    """The same keys in wrangler.toml."""
    folder = project()
    (folder / "wrangler.jsonc").unlink()
    (folder / "wrangler.toml").write_text(
        """
        name = "app"
        main = "src/entry.py"
        compatibility_date = "2026-11-01"
        kv_namespaces = [{ binding = "KV", id = "1" }]

        [triggers]
        crons = ["* * * * *"]

        [[queues.producers]]
        binding = "JOBS"
        queue = "jobs"
        """
    )
    found = read_config(folder).services

    assert (Store("KV", "1"),) == found.kv
    assert ("* * * * *",) == found.crons
    assert (Producer("JOBS", "jobs"),) == found.producers


# -- every wrong value


LISTS = ["kv_namespaces", "r2_buckets", "d1_databases", "services"]


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("value", [{"binding": "X"}, "X", 5, True])
def test_lists_that_are_none(project: WriteProject, key: str, value: Any) -> None:
    """The key, what it must be, what it is."""
    text = refusal(project, **{key: value})
    assert f'wrangler.jsonc: "{key}" must be a list of objects, got {value!r}.' == text


@pytest.mark.parametrize("key", LISTS)
@pytest.mark.parametrize("entry", [{}, "X", 5, None, [], {"id": "1"}, {"binding": 5}, {"binding": None}])
def test_entries_without_a_binding(project: WriteProject, key: str, entry: Any) -> None:
    """Each needs its name."""
    text = refusal(project, **{key: [entry]})
    assert f'wrangler.jsonc: each of "{key}" needs "binding", a text; got {entry!r}.' == text


@pytest.mark.parametrize("key", ["queues", "triggers"])
@pytest.mark.parametrize("value", [[], "x", 5])
def test_sections_that_are_no_objects(project: WriteProject, key: str, value: Any) -> None:
    """An object is needed."""
    assert f'wrangler.jsonc: "{key}" must be an object, got {value!r}.' == refusal(project, **{key: value})


@pytest.mark.parametrize("value", ["* * * * *", [5], {"cron": "* * * * *"}, 5])
def test_crons_that_are_no_list_of_texts(project: WriteProject, value: Any) -> None:
    """With an example."""
    text = refusal(project, triggers={"crons": value})
    assert f'wrangler.jsonc: "triggers"."crons" must be a list such as ["0 * * * *"], got {value!r}.' == text


@pytest.mark.parametrize(
    ("entry", "needs"),
    [({"binding": "A"}, "service"), ({"service": "a"}, "binding"), ({"binding": "A", "service": 5}, "service")],
)
def test_service_bindings_that_lack_something(project: WriteProject, entry: Any, needs: str) -> None:
    """binding and service are both needed."""
    assert f'each of "services" needs "{needs}", a text' in refusal(project, services=[entry])


@pytest.mark.parametrize(
    ("section", "entry", "says"),
    [
        ("producers", {"binding": "Q"}, 'each of "producers" needs "queue", a text'),
        ("producers", {"queue": "q"}, 'each of "producers" needs "binding", a text'),
        ("producers", {"binding": "Q", "queue": "q", "delivery_delay": -1}, '"delivery_delay" must be a whole number'),
        ("producers", {"binding": "Q", "queue": "q", "delivery_delay": 1.5}, '"delivery_delay" must be a whole number'),
        ("consumers", {}, 'each of "consumers" needs "queue", a text'),
        ("consumers", {"queue": "q", "max_batch_size": 0}, "max_batch_size is 0; it must be 1 to 100"),
        ("consumers", {"queue": "q", "max_batch_size": 101}, "max_batch_size is 101; it must be 1 to 100"),
        ("consumers", {"queue": "q", "max_batch_size": "ten"}, "\"max_batch_size\" must be a whole number, got 'ten'"),
        ("consumers", {"queue": "q", "max_batch_size": True}, '"max_batch_size" must be a whole number, got True'),
        ("consumers", {"queue": "q", "max_batch_timeout": 61}, "max_batch_timeout"),
        ("consumers", {"queue": "q", "max_batch_timeout": "soon"}, "max_batch_timeout='soon' is no duration"),
        ("consumers", {"queue": "q", "max_batch_timeout": -1}, '"max_batch_timeout" must be a whole number'),
        ("consumers", {"queue": "q", "max_retries": 101}, "max_retries is 101; it must be 0 to 100"),
        ("consumers", {"queue": "q", "max_retries": -1}, '"max_retries" must be a whole number'),
        ("consumers", {"queue": "q", "retry_delay": "x"}, "retry_delay='x' is no duration"),
        ("consumers", {"queue": "q", "max_concurrency": 0}, "max_concurrency is 0; leave it out for no limit"),
        ("consumers", {"queue": "q", "max_concurrency": 251}, "max_concurrency is 251; it must be 1 to 250"),
        ("consumers", {"queue": "q", "max_batch_sise": 1}, "no setting 'max_batch_sise'; it has dead_letter_queue,"),
    ],
)
def test_queues_that_are_wrong(project: WriteProject, section: str, entry: Any, says: str) -> None:
    """The setting by name, and what it takes."""
    text = refusal(project, queues={section: [entry]})
    assert "wrangler.jsonc: " in text
    assert says in text


@pytest.mark.parametrize("value", [{"binding": "Q", "queue": "q"}, "q", 5])
@pytest.mark.parametrize("section", ["producers", "consumers"])
def test_queues_that_are_no_lists(project: WriteProject, section: str, value: Any) -> None:
    """The section by name."""
    assert f'"{section}" must be a list of objects' in refusal(project, queues={section: value})


@pytest.mark.parametrize("value", [5, [], {}, {"directory": 5}, {"binding": "ASSETS"}, True])
def test_assets_without_a_folder(project: WriteProject, value: Any) -> None:
    """directory is needed."""
    text = f'wrangler.jsonc: "assets" needs "directory", the folder of the files; got {value!r}.'
    assert text == refusal(project, assets=value)


@pytest.mark.parametrize("directory", ["nowhere", "src/entry.py"])
def test_assets_of_a_folder_that_is_none(project: WriteProject, directory: str) -> None:
    """The path, as it is written."""
    text = refusal(project, assets={"directory": directory})
    assert f'"assets"."directory" {directory!r} is no folder of the project' in text


@pytest.mark.parametrize(
    "settings",
    [
        {"kv_namespaces": [{"binding": "X"}, {"binding": "X"}]},
        {"kv_namespaces": [{"binding": "X"}], "vars": {"X": 1}},
        {"r2_buckets": [{"binding": "X"}], "services": [{"binding": "X", "service": "y"}]},
        {"d1_databases": [{"binding": "X"}], "queues": {"producers": [{"binding": "X", "queue": "q"}]}},
        {"d1_databases": [{"binding": "X"}], "assets": {"directory": "src", "binding": "X"}},
        {
            "kv_namespaces": [{"binding": "X"}],
            "durable_objects": {"bindings": [{"name": "X", "class_name": "Room"}]},
        },
    ],
)
def test_names_given_twice(project: WriteProject, settings: dict[str, Any]) -> None:
    """Over all kinds of bindings."""
    assert "gives the name X to two bindings or vars: rename one" in refusal(project, **settings)


def test_two_bindings_of_one_store(project: WriteProject) -> None:
    """The same id under two names is allowed: both are the same namespace."""
    found = services(project, kv_namespaces=[{"binding": "A", "id": "1"}, {"binding": "B", "id": "1"}])
    assert (Store("A", "1"), Store("B", "1")) == found.kv
