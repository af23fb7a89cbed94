"""`dosim new`: the project it writes passes its own test and runs; what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dosim.project import ProjectError, read_config
from dosim.project.new import new_project

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = [
    *(".gitignore", "README.md", "package.json", "pyproject.toml", "wrangler.jsonc"),
    *("src/entry.py", "tests/test_entry.py", "tests/test_explored.py"),
]

PAUSE = """        await asyncio.sleep(0.1)
        await self.set_alarm()"""


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python's module in a process of its own, in `folder`, with dosim in reach."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", check=False)


def test_a_new_project_passes_its_own_test(tmp_path: Path) -> None:
    """What is generated tests itself with pytest, in a process that knows nothing but the folder and dosim."""
    new_project(tmp_path / "my-notes")

    result = python(tmp_path / "my-notes", "pytest", "-q", "-p", "no:cacheprovider")

    assert 0 == result.returncode, result.stdout + result.stderr
    assert "4 passed" in result.stdout


def test_its_explored_test_finds_what_the_others_do_not(tmp_path: Path) -> None:
    """With a pause between a note and its alarm the plain tests pass; a crash in it leaves the note there."""
    folder = tmp_path / "my-notes"
    new_project(folder)
    entry = folder / "src" / "entry.py"
    apart = entry.read_text("utf-8").replace("        await self.set_alarm()", PAUSE, 1)
    entry.write_text(apart.replace("import time", "import asyncio\nimport time", 1), "utf-8")

    plain = python(folder, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_entry.py")
    explored = python(folder, "dosim", "explore", "tests/test_explored.py")

    assert (0, 1) == (plain.returncode, explored.returncode), plain.stdout + explored.stdout + explored.stderr
    assert "eventually(every_note_is_gone)" in explored.stdout and 'schedule="object1=crash"' in explored.stdout


def test_a_new_project_runs(tmp_path: Path) -> None:
    """`dosim new` names the files and what to do next; `dosim run` of the folder answers."""
    told = python(tmp_path, "dosim", "new", "my-notes")

    assert (0, "") == (told.returncode, told.stderr)
    written = [str(path.relative_to(tmp_path)) for path in (tmp_path / "my-notes").rglob("*") if path.is_file()]
    assert sorted(f"my-notes/{name}" for name in FILES) == sorted(written)
    assert all(name in told.stdout for name in [*written, "cd my-notes\n    pytest\n    dosim run ."])

    ran = python(tmp_path, "dosim", "run", "my-notes", "--get", "/team")
    assert (0, "") == (ran.returncode, ran.stderr)
    assert '{"notes": []}' in ran.stdout


def test_the_name_is_in_every_file_that_has_one(tmp_path: Path) -> None:
    """Worker, Python project and npm package are called as the folder; nothing of the placeholder is left."""
    folder = tmp_path / "my-notes"
    new_project(folder)

    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    assert ("my-notes", "my-notes") == (read_config(folder).name, project["project"]["name"])
    assert {"workers-py", "workers-runtime-sdk"} == set(project["dependency-groups"]["dev"])
    assert not [name for name in FILES if "PROJECT-NAME" in (folder / name).read_text("utf-8")]


def test_an_empty_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dosim new .` in a folder made for it."""
    (tmp_path / "notes").mkdir()
    monkeypatch.chdir(tmp_path / "notes")

    assert sorted(FILES) == sorted(new_project("."))


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """One paragraph and exit code 2; what is there stays as it is. A file is no folder."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "taken").write_text("mine", "utf-8")

    result = python(tmp_path, "dosim", "new", "notes")

    assert (2, "") == (result.returncode, result.stdout)
    assert f"dosim: {str(tmp_path / 'notes')!r} is not empty: name a folder" in result.stderr
    assert ["taken"] == [path.name for path in (tmp_path / "notes").iterdir()]
    with pytest.raises(ProjectError, match="is a file: name a folder"):
        new_project(tmp_path / "notes" / "taken")


@pytest.mark.parametrize(
    ("name", "instead"),
    [("My Notes", "my-notes"), ("-x-", "x"), ("été", "t"), ("_", "my-worker"), ("a" * 64, "a" * 63)],
)
def test_a_name_that_no_worker_can_have_is_refused(tmp_path: Path, name: str, instead: str) -> None:
    """The folder's name is the Worker's; the refusal says a name that can be."""
    with pytest.raises(ProjectError, match=rf"is no name for a Worker: .* Call the folder {instead}\.$"):
        new_project(tmp_path / name)

    assert not list(tmp_path.iterdir())
