"""The ground: what importing costs and loads, what is shipped, and that the project's files agree with each other."""

from __future__ import annotations

import ast
import json
import os
import re
import statistics
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dosim"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]

# Runs `statement` with only the checkout and the standard library in reach, or with everything installed too.
PROBE = """
import sys, time
sys.path.insert(0, {root!r})
before = set(sys.modules)
start = time.perf_counter()
{statement}
took_ms = (time.perf_counter() - start) * 1000
import json
known = sys.stdlib_module_names | {{"dosim"}}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(json.dumps({{"took_ms": took_ms, "foreign": sorted(new - known), "new": len(new)}}))
"""


def probe(statement: str, *flags: str) -> dict[str, object]:
    """What a fresh interpreter says about running `statement`: milliseconds, and modules that are not ours."""
    code = PROBE.format(root=str(ROOT), statement=statement)
    result = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    parsed: dict[str, object] = json.loads(result.stdout)
    return parsed


IMPORTS = ("import dosim", "from dosim import Simulation", "from dosim.workers import DurableObject, WorkerEntrypoint")


@pytest.mark.parametrize("statement", IMPORTS)
def test_importing_works_with_the_standard_library_alone(statement: str) -> None:
    """
    With no installed package in reach (-I -S), dosim and what an app imports from it still load.
    """
    found = probe(statement, "-I", "-S")

    assert [] == found["foreign"]


@pytest.mark.parametrize("statement", IMPORTS)
def test_importing_loads_no_installed_package(statement: str) -> None:
    """
    With every dependency installed, importing dosim loads none of them.
    """
    found = probe(statement)

    assert [] == found["foreign"]


def test_import_dosim_takes_under_100_ms() -> None:
    """
    `import dosim` in a fresh interpreter takes less than 100 ms (median of seven, byte code cached).
    """
    probe("import dosim")  # writes the byte code

    took_ms = statistics.median(float(str(probe("import dosim", "-I", "-S")["took_ms"])) for _ in range(7))

    assert took_ms < 100


#: Modules that only this tool loads, or that are of use with it alone -> what they import at their top.
FOR_A_TOOL = {
    "testing/conformance/random_concurrency.py": {"hypothesis"},
    "testing/conformance/random_storage.py": {"hypothesis"},
    "testing/machine.py": {"hypothesis"},
    "testing/strategies.py": {"hypothesis"},
    "testing/plugin.py": {"pytest"},
    "testing/plugin_determinism.py": {"pytest", "_pytest"},
}


def test_no_module_of_dosim_imports_a_third_party_package_at_its_top() -> None:
    """
    In the whole package, third-party imports stand inside functions (or under TYPE_CHECKING), but in `FOR_A_TOOL`.
    """
    ours = sys.stdlib_module_names | {"dosim", "__future__"}
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name in top_level_imports(ast.parse(path.read_text("utf-8")).body)
        if name not in ours | FOR_A_TOOL.get(path.relative_to(PACKAGE).as_posix(), set()) and not is_data(path)
    ]

    assert found == []


def is_data(path: Path) -> bool:
    """Whether a Python file is part of a Workers project that dosim ships and loads, not a module of dosim."""
    return any((folder / "wrangler.jsonc").exists() for folder in path.parents if folder.is_relative_to(PACKAGE))


def top_level_imports(body: list[ast.stmt]) -> list[str]:
    """Top names imported when the module is imported: functions, classes' bodies and TYPE_CHECKING blocks left out."""
    names: list[str] = []
    for node in body:
        if isinstance(node, ast.Import):
            names += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module.partition(".")[0])
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            names += top_level_imports(node.orelse)
        elif isinstance(node, ast.If | ast.With):
            names += top_level_imports([*node.body, *getattr(node, "orelse", [])])
        elif isinstance(node, ast.Try):
            names += top_level_imports([*node.body, *node.orelse, *node.finalbody])
    return names


def test_dosim_never_names_the_old_nest_asyncio() -> None:
    """
    Only nest_asyncio2 is imported: nest-asyncio 1.6 loses the queued cells of Run All on ipykernel 7.
    """
    pattern = re.compile(r"^\s*(?:import|from)\s+nest_asyncio\b|import_module\(.nest_asyncio.\)", re.MULTILINE)
    users = [str(path) for path in sorted(PACKAGE.rglob("*.py")) if pattern.search(path.read_text("utf-8"))]

    assert users == []


def test_old_and_new_nest_asyncio_can_stand_side_by_side() -> None:
    """
    nest-asyncio 1.6.0 (here for tests alone) and nest-asyncio2 share no file, so one environment holds both.
    """
    old, new = (
        {str(file) for file in metadata.files(name) or () if "dist-info" not in str(file)}
        for name in ("nest-asyncio", "nest-asyncio2")
    )

    assert metadata.version("nest-asyncio") == "1.6.0"
    assert {"nest_asyncio.py"} <= old
    assert {"nest_asyncio2.py"} <= new
    assert not old & new


NESTED = """
import asyncio
{patch}
from dosim import Simulation
from dosim.workers import DurableObject, Response, WorkerEntrypoint

class Counter(DurableObject):
    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await asyncio.sleep(5)
        await self.ctx.storage.put("n", n)
        return n

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response.json({{"n": await self.env.COUNTER.getByName("demo").increment()}})

async def cell():
    sim = Simulation(Default, durable_objects={{"COUNTER": Counter}}, seed=7)
    tokyo = sim.client("Tokyo")
    sim.run(*[tokyo.fetch("https://app.example/") for _ in range(3)])
    return sim.trace.digest

print(asyncio.run(cell()))
"""


@pytest.mark.parametrize("module", ["nest_asyncio", "nest_asyncio2"])
def test_a_simulation_is_the_same_where_asyncio_is_patched(module: str) -> None:
    """
    sim.run() inside a running loop gives the same digest whether or not somebody called nest_asyncio's apply().
    """
    digests = []
    for patch in ("", f"import {module}; {module}.apply()"):
        code = NESTED.format(patch=patch)
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 0, result.stderr
        digests.append(result.stdout.strip())

    assert digests[0]
    assert digests[0] == digests[1]


DEPENDENCIES = {
    "networkx",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "hypothesis",
    "nest-asyncio2",
    "time-machine",
    "rich",
    "cronsim",
    "greenlet",
    "tqdm",
}


def test_no_dependency_is_asked_for_in_a_browser() -> None:
    """
    Every dependency carries the marker that leaves it out under Emscripten, where the core works without any.
    """
    parts = [re.fullmatch(r"([a-z0-9-]+)([^;]*); (.+)", text) for text in PROJECT["dependencies"]]
    found = {part[1]: part[3] for part in parts if part}

    assert dict.fromkeys(DEPENDENCIES, "sys_platform != 'emscripten'") == found
    assert len(DEPENDENCIES) == len(parts)


def test_project_is_named_and_licensed_as_promised() -> None:
    """
    The distribution is `dosim`, MIT, for Python 3.11 and later, with a command of the same name.
    """
    facts = {key: PROJECT[key] for key in ("name", "license", "requires-python", "scripts")}

    assert {
        "name": "dosim",
        "license": "MIT",
        "requires-python": ">=3.11",
        "scripts": {"dosim": "dosim.cli:main"},
    } == facts
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License\n")


def test_version_is_one() -> None:
    """
    The package says the version that pyproject.toml says, and the changelog knows it.
    """
    import dosim

    assert PROJECT["version"] == dosim.__version__
    assert PROJECT["version"] in changelog()


def changelog() -> str:
    """The changelog's text."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_changelog_keeps_its_form() -> None:
    """
    Sections are versions, newest first after Unreleased, and their parts are those of Keep a Changelog.
    """
    versions = re.findall(r"^## (.+)$", changelog(), re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", changelog(), re.MULTILINE))

    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def plan_of(target: str) -> list[str]:
    """The commands `make target` would run where there is no .venv yet."""
    command = ["make", "--dry-run", "--no-print-directory", f"VENV={ROOT}/.no-such-environment", target]
    environment = {key: value for key, value in os.environ.items() if key not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    plan = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert plan.returncode == 0, plan.stderr
    return plan.stdout.splitlines()


@pytest.mark.parametrize(
    "target", ["demo", "test", "test-slow", "test-all", "lint", "bench", "lab", "book", "lite", "test-browser"]
)
def test_make_target_installs_before_it_runs(target: str) -> None:
    """
    Each target exists and, in a clone without .venv, begins by making one and installing into it.
    """
    lines = plan_of(target)
    making = next(at for at, line in enumerate(lines) if "-m venv" in line)
    installing = next(at for at, line in enumerate(lines) if "-m pip install" in line)
    running = [at for at, line in enumerate(lines) if f"/bin/{('dosim' if target == 'demo' else 'python')} " in line]

    assert making < installing
    assert target == "lab" or running[-1] > installing


def test_demo_needs_no_developer_tools() -> None:
    """
    `make demo` installs the package alone.
    """
    installs = [line.split("--editable ")[1].strip() for line in plan_of("demo") if "pip install" in line]

    assert installs == ["."]


def test_ci_runs_the_make_targets() -> None:
    """
    `.ci/run` is executable and runs lint, then the tests, the book and what a browser shows of it, through make.
    """
    script = ROOT / ".ci" / "run"
    called = re.findall(r"^ *make (\S+)$", script.read_text("utf-8"), re.MULTILINE)

    assert called == ["lint", "test", "test-slow", "book", "test-browser"]
    assert os.access(script, os.X_OK)


def test_wheel_carries_every_file_of_the_package(tmp_path: Path) -> None:
    """
    The wheel holds what the checkout's package folder holds: py.typed, facts, the network, scenarios' projects.
    """
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("dosim/")}
    leftovers = re.compile(r"__pycache__|\.py[cod]$|/\.[^/]*(cache|checkpoints|hypothesis)")
    kept = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and not leftovers.search(path.as_posix())
    }

    assert kept == held
    assert "dosim/py.typed" in held


def test_pytest_is_strict() -> None:
    """
    Unknown markers and options fail, warnings are errors, an xfail that passes fails.
    """
    options = PYPROJECT["tool"]["pytest"]["ini_options"]

    assert {"--strict-markers", "--strict-config"} <= set(options["addopts"])
    assert options["filterwarnings"][0] == "error"
    assert options["xfail_strict"] is True
    assert any(marker.startswith("slow:") for marker in options["markers"])


def test_every_ignore_has_a_reason_beside_it() -> None:
    """
    In pyproject.toml, each line that silences ruff or a warning says why.
    """
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    lists = re.findall(r'^(?:ignore|"[a-z]+/\*\*"|filterwarnings) = \[\n(.*?)^\]', text, re.MULTILINE | re.DOTALL)
    lines = [line for part in lists for line in part.splitlines() if line.strip() and line.strip() != '"error",']

    assert lines
    assert [line for line in lines if "#" not in line] == []
