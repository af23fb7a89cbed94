"""Static files before the Worker and as env.ASSETS; secrets of `.dev.vars`; migrations of D1 databases."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from dosim import Simulation
from dosim.project import ProjectError
from dosim.web.errors import JsException
from dosim.workers import Response, WorkerEntrypoint

FILES = {
    "index.html": "<h1>home</h1>",
    "about.html": "about",
    "app.js": "let a",
    "404.html": "lost",
    "docs/index.html": "docs",
}
ENTRY = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if "/asset" in request.url:
            return await self.env.ASSETS.fetch("https://assets.example/app.js")
        if request.url.endswith("/env"):
            return Response.json(sorted(name for name in vars(self.env)))
        if request.url.endswith("/secret"):
            return Response(f"{self.env.TOKEN}|{self.env.MODE}")
        if request.url.endswith("/rows"):
            found = await self.env.DB.prepare("SELECT name FROM people ORDER BY name").all()
            return Response.json([row.name for row in found.results])
        return Response(f"worker {request.method} {request.url}")
"""


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/asset"):
            return await self.env.ASSETS.fetch(request.url.replace("/asset", "/about"))
        return Response(f"worker {request.method}")


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """A folder of files."""
    folder = tmp_path / "public"
    write(folder, FILES)
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def project(folder: Path, files: dict[str, str] | None = None, **settings: Any) -> Path:
    """A project with static files in `public`."""
    whole = {"main": "entry.py", "compatibility_date": "2026-11-01", "compatibility_flags": ["python_workers"]}
    write(folder, {"entry.py": textwrap.dedent(ENTRY), "wrangler.jsonc": json.dumps(whole | settings)} | (files or {}))
    write(folder / "public", FILES)
    return folder


def get(sim: Simulation, path: str, **options: Any) -> tuple[int, str]:
    response = sim.run(sim.client().fetch(f"https://app.example{path}", **options))
    return response.status, sim.run(response.text())


# -- before the Worker


def test_a_file_is_served_without_the_worker(public: Path) -> None:
    """What has a file is answered by it; the rest is the Worker's. No isolate starts for a file."""
    sim = Simulation(Default, assets=public)

    assert (200, "let a") == get(sim, "/app.js")
    assert (200, "<h1>home</h1>") == get(sim, "/")
    assert [] == sim.trace.of_kind("worker")
    assert (200, "worker GET") == get(sim, "/other")
    assert 1 == len(sim.trace.of_kind("worker"))


def test_redirects_are_for_the_client_to_follow(public: Path) -> None:
    """/about.html is /about (html_handling's default): a client of dosim sees the 307."""
    sim = Simulation(Default, assets=public)
    response = sim.run(sim.client().fetch("https://app.example/about.html", redirect="manual"))
    assert (307, "/about") == (response.status, response.headers.get("location"))
    assert (200, "about") == get(sim, "/about")


def test_a_post_to_a_file_is_not_allowed(public: Path) -> None:
    """405 for the assets; elsewhere the Worker gets the POST."""
    sim = Simulation(Default, assets=public)
    assert 405 == get(sim, "/app.js", method="POST", body="x")[0]
    assert (200, "worker POST") == get(sim, "/other", method="POST", body="x")


def test_as_a_binding(public: Path) -> None:
    """env.ASSETS.fetch from the Worker."""
    assert (200, "about") == get(Simulation(Default, assets=public), "/asset")


def test_without_a_worker(public: Path) -> None:
    """A site alone: files, and 404 for the rest."""
    sim = Simulation(assets=public)
    assert (200, "let a") == get(sim, "/app.js")
    assert 404 == get(sim, "/nothing")[0]


def test_a_websocket_to_a_site_is_refused(public: Path) -> None:
    """There is nobody to accept it."""
    sim = Simulation(assets=public)
    with pytest.raises(ConnectionError, match="status 404"):
        sim.run(sim.client().websocket("wss://app.example/ws"))


def test_files_are_near_to_the_client(public: Path) -> None:
    """A file needs the way to the colo and back, whatever the Worker would need."""
    sim = Simulation(Default, assets=public, cold_start="500ms")
    tokyo = sim.client("Tokyo")
    file, page = tokyo.fetch("https://app.example/app.js"), tokyo.fetch("https://app.example/other")
    sim.run(file, page)
    assert page.latency_us - file.latency_us > 400_000


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The path, and what to do."""
    with pytest.raises(NotADirectoryError, match="nowhere"):
        Simulation(Default, assets=tmp_path / "nowhere")


# -- of a project


def test_of_a_project(tmp_path: Path) -> None:
    """directory and binding of the configuration."""
    sim = Simulation.from_project(project(tmp_path, assets={"directory": "public", "binding": "ASSETS"}))
    assert (200, "let a") == get(sim, "/app.js")
    assert (200, "let a") == get(sim, "/api/asset")
    assert (200, "worker GET https://app.example/api") == get(sim, "/api")


def test_the_worker_first(tmp_path: Path) -> None:
    """run_worker_first: every request is the Worker's, which may ask env.ASSETS."""
    assets = {"directory": "public", "binding": "ASSETS", "run_worker_first": True}
    sim = Simulation.from_project(project(tmp_path, assets=assets))
    assert (200, "worker GET https://app.example/app.js") == get(sim, "/app.js")
    assert (200, "let a") == get(sim, "/asset")


def test_html_handling_of_a_project(tmp_path: Path) -> None:
    """none: files by their own names alone."""
    sim = Simulation.from_project(project(tmp_path, assets={"directory": "public", "html_handling": "none"}))
    assert (200, "about") == get(sim, "/about.html")
    assert (200, "worker GET https://app.example/about") == get(sim, "/about")


def test_pages_that_are_not_found(tmp_path: Path) -> None:
    """not_found_handling is for navigations; another request without a file is the Worker's."""
    sim = Simulation.from_project(project(tmp_path, assets={"directory": "public", "not_found_handling": "404-page"}))
    assert (404, "lost") == get(sim, "/nothing", headers={"Sec-Fetch-Mode": "navigate"})
    assert (200, "worker GET https://app.example/nothing") == get(sim, "/nothing")


# -- secrets


def secret(folder: Path, file: str, text: str, **settings: Any) -> str:
    sim = Simulation.from_project(project(folder, {file: text}, **settings))
    return get(sim, "/secret")[1]


@pytest.mark.parametrize("file", [".dev.vars", ".env"])
def test_secrets_are_on_env(tmp_path: Path, file: str) -> None:
    """Names and texts, comments and empty lines, quotes, `export` (dotenv)."""
    text = """
    # local secrets
    TOKEN="s3cr=t # no comment"

    export MODE='dev'
    """
    assert "s3cr=t # no comment|dev" == secret(tmp_path, file, text)


def test_secrets_without_quotes(tmp_path: Path) -> None:
    """Space around is cut, as is a comment; numbers stay texts; an empty one is empty."""
    assert "7|" == secret(tmp_path, ".dev.vars", "TOKEN =  7   # the token\nMODE=\n")


def test_a_secret_goes_before_a_var(tmp_path: Path) -> None:
    """`vars` with the same name is what is deployed; the local secret wins."""
    text = "TOKEN=local\n"
    assert "local|live" == secret(tmp_path, ".dev.vars", text, vars={"TOKEN": "deployed", "MODE": "live"})


def test_dev_vars_go_before_dot_env(tmp_path: Path) -> None:
    """With both files, `.env` is not read (wrangler)."""
    folder = project(tmp_path, {".dev.vars": "TOKEN=a\nMODE=b", ".env": "TOKEN=c\nOTHER=d"})
    sim = Simulation.from_project(folder)
    assert "a|b" == get(sim, "/secret")[1]
    assert ["MODE", "TOKEN"] == json.loads(get(sim, "/env")[1])


def test_a_secret_named_like_a_binding(tmp_path: Path) -> None:
    """The name is given twice."""
    with pytest.raises(ProjectError, match="gives the name KV to two"):
        Simulation.from_project(project(tmp_path, {".dev.vars": "KV=x"}, kv_namespaces=[{"binding": "KV"}]))


# -- migrations

DB = {"binding": "DB", "database_name": "people", "database_id": "1"}
MIGRATIONS = {
    "migrations/0001_people.sql": "CREATE TABLE people(name TEXT); INSERT INTO people VALUES ('Ada');",
    "migrations/0002_more.sql": "INSERT INTO people VALUES ('Bob');",
    "migrations/notes.txt": "not SQL",
}


def test_migrations_are_applied_once_in_order(tmp_path: Path) -> None:
    """Names of the new ones; the second time there is none; a new file alone the third time."""
    folder = project(tmp_path, MIGRATIONS, d1_databases=[DB])
    sim = Simulation.from_project(folder)

    assert ["0001_people.sql", "0002_more.sql"] == sim.apply_migrations("DB")
    assert [] == sim.apply_migrations("DB")
    write(folder, {"migrations/0003_last.sql": "INSERT INTO people VALUES ('Cy')"})
    assert ["0003_last.sql"] == sim.apply_migrations("DB")
    assert ["Ada", "Bob", "Cy"] == json.loads(get(sim, "/rows")[1])


def test_a_file_of_sql_is_run_whole_or_not_at_all(tmp_path: Path) -> None:
    """As `wrangler d1 execute --file`: named from the project's folder; a second run runs it again."""
    files = {"init.sql": "CREATE TABLE people(name TEXT);\n-- a comment\nINSERT INTO people VALUES ('Ada');\n"}
    folder = project(
        tmp_path, {**files, "bad.sql": "DELETE FROM people; INSERT INTO nobody VALUES (1);"}, d1_databases=[DB]
    )
    sim = Simulation.from_project(folder)

    assert 2 == sim.execute_sql("DB", "init.sql")
    with pytest.raises(JsException, match="no such table: nobody"):
        sim.execute_sql("DB", folder / "bad.sql")
    assert ["Ada"] == json.loads(get(sim, "/rows")[1])
    with pytest.raises(ValueError, match=r"file='none.sql' cannot be read .*: give the path of a file of SQL"):
        sim.execute_sql("DB", "none.sql")
    with pytest.raises(ValueError, match="'X' is no D1 database of this simulation; there are: DB"):
        sim.execute_sql("X", "init.sql")


def test_a_fork_has_the_data_of_a_file_of_sql(tmp_path: Path) -> None:
    """What execute_sql did is a part of the past that is lived again."""
    files = {"init.sql": "CREATE TABLE people(name TEXT); INSERT INTO people VALUES ('Ada');"}
    sim = Simulation.from_project(project(tmp_path, files, d1_databases=[DB]))
    sim.execute_sql("DB", "init.sql")
    sim.run(for_="1s")

    assert ["Ada"] == json.loads(get(sim.fork(), "/rows")[1])


def test_migrations_of_another_folder(tmp_path: Path) -> None:
    """migrations_dir of the database."""
    files = {"sql/1.sql": "CREATE TABLE people(name TEXT)"}
    sim = Simulation.from_project(project(tmp_path, files, d1_databases=[{**DB, "migrations_dir": "sql"}]))
    assert ["1.sql"] == sim.apply_migrations("DB")
    assert [] == json.loads(get(sim, "/rows")[1])


def test_a_migration_that_fails(tmp_path: Path) -> None:
    """Whole or not at all: the ones before it stay, it is applied when it is corrected."""
    folder = project(
        tmp_path,
        {
            "migrations/1.sql": "CREATE TABLE people(name TEXT)",
            "migrations/2.sql": "INSERT INTO people VALUES ('Ada'); INSERT INTO nobody VALUES (1);",
        },
        d1_databases=[DB],
    )
    sim = Simulation.from_project(folder)
    with pytest.raises(JsException, match="no such table: nobody"):
        sim.apply_migrations("DB")
    assert [] == json.loads(get(sim, "/rows")[1])

    write(folder, {"migrations/2.sql": "INSERT INTO people VALUES ('Ada')"})
    assert ["2.sql"] == sim.apply_migrations("DB")
    assert ["Ada"] == json.loads(get(sim, "/rows")[1])


def test_a_project_without_migrations(tmp_path: Path) -> None:
    """No folder, nothing to do."""
    assert [] == Simulation.from_project(project(tmp_path, d1_databases=[DB])).apply_migrations("DB")


@pytest.mark.parametrize("binding", ["PEOPLE", "people", ""])
def test_a_binding_that_is_no_database(tmp_path: Path, binding: str) -> None:
    """Named, with those there are."""
    sim = Simulation.from_project(project(tmp_path, MIGRATIONS, d1_databases=[DB]))
    with pytest.raises(ValueError, match="there are: DB"):
        sim.apply_migrations(binding)


def test_a_database_given_in_code_has_no_migrations() -> None:
    """There is no folder to look in."""
    with pytest.raises(ValueError, match="no D1 database of a project"):
        Simulation(Default, d1_databases=["DB"]).apply_migrations("DB")


def test_a_missing_secret_names_its_file(tmp_path: Path) -> None:
    """The error says where a project's secrets are kept."""
    sim = Simulation.from_project(project(tmp_path, {}, d1_databases=[DB]))
    with pytest.raises(AttributeError, match=r"a secret belongs into the file \.dev\.vars beside it, as TOKEN="):
        _ = sim.env.TOKEN
