"""`from agents import Agent` in projects and notebooks; and that the library is no more than user code."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cronsim
import pytest

import dosim.agents
from dosim import Simulation

ENTRY = """
from agents import Agent, callable, route_agent_request
from workers import Response, WorkerEntrypoint

class ChatRoom(Agent):
    initial_state = {"said": 0}

    async def on_start(self):
        await self.schedule("* * * * *", self.tick)

    async def tick(self):
        self.set_state({"said": self.state["said"] + 1})

    async def on_request(self, request):
        return Response.json([self.name, self.state["said"], WHERE])

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await route_agent_request(request, self.env) or Response("no", status=404)
"""
WHERE = "import agents\nWHERE = agents.__name__\n"
SETTINGS = {
    "name": "app",
    "main": "src/entry.py",
    "compatibility_date": "2026-11-01",
    "durable_objects": {"bindings": [{"name": "ChatRoom", "class_name": "ChatRoom"}]},
    "migrations": [{"tag": "v1", "new_sqlite_classes": ["ChatRoom"]}],
}
Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Write a project; its entry module is `ENTRY` unless given."""

    def write(files: dict[str, str]) -> Path:
        whole = {"wrangler.json": json.dumps(SETTINGS), "src/entry.py": WHERE + ENTRY} | files
        for path, text in whole.items():
            target = tmp_path / "app" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return tmp_path / "app"

    return write


def asked(folder: Path) -> Any:
    sim = Simulation.from_project(folder, network=None)
    sim.run(sim.client().fetch("https://app.example/agents/chat-room/a"))
    sim.run(for_="3m")
    response = sim.run(sim.client().fetch("https://app.example/agents/chat-room/a"))
    return sim.run(response.json())


def test_a_project_imports_agents(project: Write) -> None:
    """dosim's, without anything vendored."""
    before = dict(sys.modules)

    assert ["a", 3, "dosim.agents"] == asked(project({}))
    assert [] == [name for name in sys.modules if name not in before and name.partition(".")[0] == "agents"]


OWN = "__all__ = ['x']\nx = 'the project\\'s own'\n"
USES = """
from agents import x
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(x)
"""


@pytest.mark.parametrize(
    "path", ["src/agents.py", "src/agents/__init__.py", "python_modules/agents/__init__.py", "python_modules/agents.py"]
)
def test_a_project_with_agents_of_its_own_gets_those(project: Write, path: str) -> None:
    """Beside its entry module, or vendored."""
    settings = {key: SETTINGS[key] for key in ("name", "main", "compatibility_date")}
    folder = project({path: OWN, "src/entry.py": USES, "wrangler.json": json.dumps(settings)})
    sim = Simulation.from_project(folder, network=None)
    response = sim.run(sim.client().fetch("https://app.example/"))

    assert "the project's own" == sim.run(response.text())


def vendored() -> dict[str, str]:
    """The library as a project would vendor it: what it imports of dosim is what the platform has under these names."""
    names = [("dosim.workers.js", "js"), ("dosim.workers.ffi", "pyodide.ffi"), ("dosim.workers", "workers")]
    parts = sorted(Path(cronsim.__file__).parent.glob("*.py"))
    files = {f"python_modules/cronsim/{file.name}": file.read_text(encoding="utf-8") for file in parts}
    for file in sorted(Path(dosim.agents.__file__).parent.glob("*.py")):
        text = file.read_text(encoding="utf-8").replace("from dosim.agents", "from agents")
        for ours, theirs in names:
            text = re.sub(rf"^from {re.escape(ours)} import", f"from {theirs} import", text, flags=re.MULTILINE)
        files[f"python_modules/agents/{file.name}"] = text
    return files


def test_the_library_is_user_code(project: Write) -> None:
    """Vendored into a project, importing nothing but the platform's modules, it does the same."""
    files = vendored()
    imported = {
        (node.module or "").partition(".")[0]
        for text in files.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
    }

    assert {"agents", "cronsim", "js", "pyodide", "workers"} == imported - sys.stdlib_module_names
    assert ["a", 3, "agents"] == asked(project(files))


def test_an_agent_is_found_in_a_notebook() -> None:
    """After `%load_ext dosim` a cell imports `agents`; unloaded, the name is what it was."""
    pytest.importorskip("IPython")
    from dosim.notebook import magics

    class Shell:
        def register_magic_function(self, *args: Any) -> None:
            """The magics are none of this test's business."""

        class magics_manager:  # noqa: N801  # IPython's name
            magics: dict[str, dict[str, Any]] = {"cell": {}}  # noqa: RUF012

    before = sys.modules.get("agents")
    magics.load(Shell())
    try:
        import agents  # type: ignore[import-not-found]

        assert dosim.agents.Agent is agents.Agent
    finally:
        magics.unload(Shell())
    assert before is sys.modules.get("agents")
