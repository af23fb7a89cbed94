"""The command line: what it prints, and one paragraph and exit code 2 for an argument that cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dosim import ProjectError, Simulation
from dosim.cli import main

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).parent / "scenarios" / "ten_by_five.out"
PROJECT = ROOT / "dosim" / "scenarios" / "one_instance_project"

WORKER = """
from workers import DurableObject, Response, WorkerEntrypoint

class Counter(DurableObject):
    async def increment(self):
        n = (await self.ctx.storage.get("n") or 0) + 1
        await self.ctx.storage.put("n", n)
        return n

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/throw"):
            raise ValueError("not today")
        return Response(f"n={await self.env.COUNTER.getByName('a').increment()}")
"""
CONFIG = """{
  "name": "counted", "main": "src/entry.py", "compatibility_date": "2026-11-01", // a comment
  "compatibility_flags": ["python_workers"],
  "durable_objects": {"bindings": [{"name": "COUNTER", "class_name": "Counter"}]},
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small Python Workers project."""
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "entry.py").write_text(WORKER, "utf-8")
    (folder / "wrangler.jsonc").write_text(CONFIG, "utf-8")
    return folder


def dosim(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with these variables set."""
    env = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONHASHSEED", "DOSIM_HASH_SEED_IS_SET")
    }
    env.update(environment, PYTHONPATH=str(ROOT))
    command = [sys.executable, "-m", "dosim", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, encoding="utf-8", check=False)


def test_run_prints_the_golden_tables() -> None:
    """
    `dosim run ten-by-five` into a pipe is plain text, stable to the letter, in under 3 s as a whole process.
    """
    start = time.perf_counter()
    result = dosim("run", "ten-by-five")
    took_s = time.perf_counter() - start

    assert result.stderr == ""
    assert result.stdout == GOLDEN.read_text("utf-8")
    assert took_s < 3


def test_two_processes_give_the_same_json() -> None:
    """
    `--json` of one seed is the same text in processes with different PYTHONHASHSEED; another seed, other digests.
    """
    first = dosim("run", "ten-by-five", "--json", "--seed", "3", PYTHONHASHSEED="1", DOSIM_HASH_SEED_IS_SET="1")
    second = dosim("run", "ten-by-five", "--json", "--seed", "3", PYTHONHASHSEED="2", DOSIM_HASH_SEED_IS_SET="1")
    other = dosim("run", "ten-by-five", "--json", "--seed", "4")

    assert first.stdout == second.stdout
    assert [v["trace_digest"] for v in json.loads(first.stdout)["variants"]] != [
        v["trace_digest"] for v in json.loads(other.stdout)["variants"]
    ]


def test_json_carries_rows_in_microseconds(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Every row of `--json` has whole microseconds that sum to its total, and the variant its trace's digest.
    """
    assert main(["run", "ten-by-five", "--variant", "cpu", "--requests", "3", "--seconds", "2", "--json"]) == 0
    (variant,) = json.loads(capsys.readouterr().out)["variants"]

    assert [row["waited_us"] for row in variant["rows"]] == [0, 2_000_000, 4_000_000]
    for row in variant["rows"]:
        parts = ("network_there_us", "waited_us", "worked_us", "network_back_us")
        assert sum(row[part] for part in parts) == row["total_us"]
    assert len(variant["trace_digest"]) == 64


def test_png_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    `--png FILE` writes a picture and says so on standard error, so that the tables stay as they are.
    """
    file = tmp_path / "out.png"

    assert main(["run", "ten-by-five", "--variant", "input-gates", "--png", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG") and file.stat().st_size > 10_000
    assert capsys.readouterr().err == f"{file} written\n"


def test_every_scenario_draws_and_help_says_who_takes_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    `one-instance` draws a picture too, and `--help` names the scenario of an option that not all of them take.
    """
    file = tmp_path / "one.png"

    assert main(["run", "one-instance", "--requests", "5", "--png", str(file)]) == 0
    assert file.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "each request's handler takes (of ten-by-five)" in told and "--png FILE draw the timeline --code" in told


def test_code_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """
    `--code` shows the user code that each variant runs.
    """
    main(["run", "ten-by-five", "--variant", "block-concurrency", "--code"])

    assert "await self.ctx.blockConcurrencyWhile(self.work)" in capsys.readouterr().out


def test_one_instance_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The second scenario prints its claim and its tables.
    """
    assert main(["run", "one-instance", "--requests", "30"]) == 0
    assert "meet 30 Worker instances" in capsys.readouterr().out


def test_project_prints_response_and_explanation(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    `dosim run FOLDER` prints request, status, headers, body, and where the time went.
    """
    assert main(["run", str(project), "--get", "/x", "--city", "Tokyo"]) == 0
    out = capsys.readouterr().out

    assert out.startswith(
        "GET https://app.example/x from Tokyo\n200 OK\ncontent-type: text/plain;charset=UTF-8\n\nn=1\n\n#1 GET"
    )
    assert "It travelled" in out and "Counter('a')" in out and out.rstrip().splitlines()[-1].startswith("Together ")


def test_worker_that_throws_gives_exit_code_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    What a Worker threw is told, and the exit code says that what was run failed.
    """
    assert main(["run", str(project), "--get", "/throw"]) == 1
    out, err = capsys.readouterr()

    assert "threw: ValueError: not today" in out
    assert "ValueError: not today" in err


def test_trace_is_written_and_explained(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    `--trace FILE` and `dosim explain FILE` tell the same as the run itself did.
    """
    file = str(tmp_path / "trace.jsonl")
    main(["run", str(project), "--trace", file])
    told = capsys.readouterr().out.partition("\n\n#1 ")[2]

    assert main(["explain", file]) == 0
    assert capsys.readouterr().out == f"#1 {told}"
    assert main(["explain", file, "1"]) == 0


def test_console_runs_under_the_platform_s_hash_seed(project: Path) -> None:
    """
    The process starts itself anew with PYTHONHASHSEED=111, once: user code iterates sets as on the platform.
    """
    (project / "src" / "entry.py").write_text(
        "from workers import Response, WorkerEntrypoint, DurableObject\n"
        "class Counter(DurableObject): pass\n"
        "class Default(WorkerEntrypoint):\n"
        "    async def fetch(self, request):\n"
        "        return Response(str(hash('durable object')))\n",
        "utf-8",
    )
    plain, seeded = (dosim("run", str(project), **env) for env in ({}, {"PYTHONHASHSEED": "5"}))
    command = [sys.executable, "-c", "print(hash('durable object'))"]
    expected = subprocess.run(
        command, env={**os.environ, "PYTHONHASHSEED": "111"}, capture_output=True, text=True, check=True
    )

    assert plain.stdout == seeded.stdout
    assert plain.stdout.splitlines()[4] == expected.stdout.strip()


def test_closed_pipe_is_no_error() -> None:
    """
    `dosim run … | head -1` ends quietly.
    """
    command = f"{sys.executable} -m dosim run ten-by-five | head -1"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=False)

    assert result.stderr == ""


REFUSALS = [
    (["run", "ten-by-six"], "'ten-by-six' is neither a scenario nor a project folder: did you mean ten-by-five?"),
    (
        ["run", "ten-by-five", "--variant", "cpus"],
        "--variant cpus is not known: did you mean cpu? Use one of one-at-a-time,",
    ),
    (
        ["run", "ten-by-five", "--requests", "-3"],
        "--requests -3 is out of range: give how many clients send one, from 1",
    ),
    (["run", "ten-by-five", "--requests", "ten"], "argument --requests: 'ten' is no whole number: write it in digits"),
    (
        ["run", "ten-by-five", "--seconds", "5s"],
        "argument --seconds: '5s' is no number: write 5 or 0.5, without a unit",
    ),
    (["run", "ten-by-five", "--seconds", "60"], "--seconds 60 is out of range: give what a request takes"),
    (
        ["run", "ten-by-five", "--png", "no/such/x.png"],
        "--png 'no/such/x.png' cannot be written, there is no folder 'no/such'",
    ),
    (["run", "ten-by-five", "--png", "."], "--png '.' is a folder: name a file in it"),
    (
        ["run", "ten-by-five", "--trace", "x.jsonl"],
        "--trace takes one trace and every variant has its own: choose one with",
    ),
    (["run", "ten-by-five", "--city", "Tokyo"], "--city is no option of the scenario ten-by-five: leave it out."),
    (["run", "one-instance", "--seconds", "5"], "--seconds is no option of the scenario one-instance: leave it out."),
    (["run", str(PROJECT), "--requests", "3"], "--requests is no option of a project: leave it out. It takes --city"),
    (["run", str(PROJECT), "--city", "Tokio"], "--city: unknown city 'Tokio': did you mean Tokyo?"),
    (["run", str(PROJECT), "--city", "95,10"], "--city 95,10: (95.0, 10.0) is not on the globe"),
    (["run", str(PROJECT), "--get", "x"], "--get 'x' is no URL: write a path such as /x"),
    (["run", "./no-such-folder"], "the project './no-such-folder': folder './no-such-folder' does not exist"),
    (["explain", "no-such-trace.jsonl"], "no-such-trace.jsonl cannot be read (No such file or directory): give a file"),
    (["play"], "argument COMMAND: invalid choice: 'play'"),
    ([], "the following arguments are required: COMMAND"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), REFUSALS, ids=[" ".join(arguments)[-40:] for arguments, _ in REFUSALS]
)
def test_bad_arguments_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    One paragraph on standard error that names the argument and the fix, nothing on standard output, exit code 2.
    """
    code = main(arguments)
    out, err = capsys.readouterr()

    assert code == 2
    assert out == ""
    assert err.startswith(f"dosim: {message}")
    assert err.count("\n") == 1


def test_folder_without_a_configuration_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A project folder without wrangler.jsonc is refused with what to write there.
    """
    assert main(["run", str(tmp_path)]) == 2
    err = capsys.readouterr().err

    assert "has no wrangler.jsonc" in err and '"main": "src/entry.py"' in err and err.count("\n") == 1


def test_malformed_configuration_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Malformed JSONC is refused with its file, line and column.
    """
    (project / "wrangler.jsonc").write_text('{\n  "name": counted\n}\n', "utf-8")

    assert main(["run", str(project)]) == 2
    assert "wrangler.jsonc, line 2, column 11" in capsys.readouterr().err


def test_a_format_that_cannot_hold_the_trace_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The format's own reason is the error, and no traceback.
    """
    monkeypatch.setattr("dosim.export.shiviz.MOST_ENTRIES", 10)

    assert 2 == main(["run", str(PROJECT), "--trace", str(tmp_path / "x.shiviz.log")])
    assert "are too many for a ShiViz log" in capsys.readouterr().err


def test_file_that_is_no_trace_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A file that is no trace is refused with the line that is no record; a request that it lacks with those it has.
    """
    file = tmp_path / "x.jsonl"
    file.write_text("not json\n", "utf-8")

    assert main(["explain", str(file)]) == 2
    assert f"{file}, line 1 is no trace record" in capsys.readouterr().err

    main(["run", str(PROJECT), "--trace", str(file)])
    capsys.readouterr()
    assert main(["explain", str(file), "99"]) == 2
    assert "request=99 is not in the trace" in capsys.readouterr().err

    readme = ROOT / "README.md"
    assert main(["explain", str(readme)]) == 2
    assert capsys.readouterr().err == (
        f"dosim: {readme}, line 1 is no trace record: '# dosim'. Give a file of records, one JSON object a line, as"
        " `dosim run … --trace FILE` or sim.trace.to_jsonl(FILE) writes it.\n"
    )
    file.write_bytes(b"\x89PNG")
    assert main(["explain", str(file)]) == 2
    assert f"{file} is no trace, it is not even text. Give" in capsys.readouterr().err
    file.write_text("", "utf-8")
    assert main(["explain", str(file)]) == 2
    assert f"{file} has no trace record. Give" in capsys.readouterr().err


TOP = "from workers import DurableObject, Response, WorkerEntrypoint\n"
#: name -> (what is wrong in the entry module, the paragraph's beginning, what it says to do).
BROKEN = {
    "a missing colon": (
        f"{TOP}class Counter(DurableObject)\n    pass\n",
        "src/entry.py, line 2: SyntaxError: expected ':' in `class Counter(DurableObject)`. ",
        "Correct that line",
    ),
    "a module that is not there": (
        f"{TOP}\nimport no_such_package\n",
        "src/entry.py, line 3: ModuleNotFoundError: No module named 'no_such_package'. ",
        "vendor it into python_modules/",
    ),
    "a name that js lacks": (
        "from js import NoSuchThing\n",
        "src/entry.py, line 1: ImportError: cannot import name 'NoSuchThing' from 'js'. ",
        "dosim's `js` does not have it, it has Array,",
    ),
    "an exception": (
        f"{TOP}def f():\n    raise ValueError('two\\nlines')\nf()\n",
        "src/entry.py, line 3: ValueError: two lines in `raise ValueError('two\\nlines')`. ",
        "before any request",
    ),
    "an exception in another module": (
        "import helper\n",
        "src/helper.py, line 2: KeyError: 'k' in `y = {}['k']`. ",
        "before any request",
    ),
    "the end of the process": (
        "raise SystemExit(3)\n",
        "src/entry.py, line 1: SystemExit: 3 in `raise SystemExit(3)`. ",
        "before any request",
    ),
    "a name that is exported and missing": (
        "__all__ = ['Missing']\n",
        "src/entry.py: AttributeError: module 'entry' has no attribute 'Missing'. ",
        "correct it",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_project_that_does_not_load_is_refused(broken: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    One paragraph: file, line, error, what to do; exit code 2, and no traceback.
    """
    source, beginning, fix = BROKEN[broken]
    (project / "src" / "helper.py").write_text("x = 1\ny = {}['k']\n", "utf-8")
    (project / "src" / "entry.py").write_text(source, "utf-8")

    assert main(["run", str(project)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"dosim: {beginning}") and fix in err and err.count("\n") == 1


def test_project_that_does_not_load_keeps_its_error(project: Path) -> None:
    """
    From Python the same paragraph is a ProjectError, raised from the error itself.
    """
    (project / "src" / "entry.py").write_text("import helper.nothing\n", "utf-8")

    with pytest.raises(ProjectError, match=r"src/entry\.py, line 1: ModuleNotFoundError") as raised:
        Simulation.from_project(project)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_warning_is_told_once(project: Path) -> None:
    """
    A module that warns in every isolate that loads it, and a handler that then fails: one line on standard error.
    """
    source = (
        f"import warnings\n{WORKER}".replace("class Counter", "warnings.warn('hear me')\nclass Counter", 1)
        .replace("n = (await", "for _ in range(3):\n            warnings.warn('and me')\n        n = (await")
        .replace("return Response", "await self.env.COUNTER.getByName('b').increment()\n        import no_such\n#")
    )
    (project / "src" / "entry.py").write_text(source, "utf-8")
    told = dosim("run", str(project), "--city", "Cape Town", PYTHONWARNINGS="always")

    assert told.returncode == 1 and told.stdout.startswith("GET ")
    assert told.stderr.splitlines()[:2] == [
        "dosim: src/entry.py, line 5: UserWarning: hear me",
        "dosim: src/entry.py, line 9: UserWarning: and me",
    ]
    assert told.stderr.count("Warning") == 2 and told.stderr.count("no_such") == 1


def test_conformance_runs_a_recorded_project(capsys: pytest.CaptureFixture[str]) -> None:
    """
    `dosim conformance PATH` replays what was recorded and ends with the count; a path without cases is refused.
    """
    case = ROOT / "tests" / "conformance" / "python" / "cases" / "gate_ten_sleepers_overlap"

    assert main(["conformance", str(case)]) == 0
    assert capsys.readouterr().out.rstrip().endswith("1 passed, 0 failed, 0 skipped")
    assert main(["conformance", str(ROOT / "no-such-cases")]) == 2


def test_terminal_gets_drawn_tables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """
    In a terminal the tables are drawn by rich; every number of the plain text is there.
    """
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")

    assert main(["run", "ten-by-five", "--variant", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "─" in out and "in line" not in out and "Sydney's CPU work, then 8 more" in out and "45 s" in out
