"""`dosim bill`: a scenario's run or a request to a project, as money."""

from __future__ import annotations

from pathlib import Path

import pytest

from dosim.cli import main

WORKER = """
import asyncio
from workers import DurableObject, Response, WorkerEntrypoint

class Room(DurableObject):
    async def work(self):
        await asyncio.sleep(2)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/throw"):
            raise ValueError("not today")
        await self.env.ROOM.getByName("a").work()
        return Response("done")
"""
CONFIG = """{
  "name": "rooms", "main": "entry.py", "compatibility_date": "2026-11-01", "compatibility_flags": ["python_workers"],
  "durable_objects": {"bindings": [{"name": "ROOM", "class_name": "Room"}]}
}
"""


@pytest.fixture
def project(tmp_path: Path) -> str:
    (tmp_path / "entry.py").write_text(WORKER, "utf-8")
    (tmp_path / "wrangler.jsonc").write_text(CONFIG, "utf-8")
    return str(tmp_path)


def test_a_project_s_hour_and_month(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One request an hour: 2 billed seconds with their holder; 720 a month cost the plan alone."""
    assert main(["bill", project]) == 0
    printed = capsys.readouterr().out

    assert "Measured: 1 h" in printed
    assert "2               Room('a')  request Room('a').work" in printed
    assert "720 requests" in printed
    assert [line.split()[-1] for line in printed.splitlines() if line.startswith("together")][1] == "$5.00"


def test_plan_population_and_stretch(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A request a minute, of a hundred such objects, is too much for the free plan."""
    assert main(["bill", project, "--for", "60s", "--times", "100", "--plan", "free"]) == 0

    assert "An average day, Durable Objects requests: 144,000 requests. The free plan allows" in capsys.readouterr().out


def test_a_worker_that_throws_is_told(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bill", project, "--get", "/throw"]) == 1
    told = capsys.readouterr()

    assert "Workers requests" in told.out
    assert "ValueError: not today" in told.err


def test_a_lesson_s_worlds_are_billed_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Under the title of each."""
    from dosim.scenarios.registry import find_scenario

    titles = [world.title for world in find_scenario("slow-api").run().worlds]

    assert 0 == main(["bill", "slow-api"])
    said = capsys.readouterr().out
    assert 1 < len(titles) == sum(f"{title}\n{'-' * len(title)}\n" in said for title in titles)


def test_a_scenario_s_variants_are_billed_each(capsys: pytest.CaptureFixture[str]) -> None:
    """The same ten requests of 5 s: 5 s of one object that lets all in, 50 s of one that takes one at a time."""
    assert main(["bill", "ten-by-five", "--variant", "input-gates", "--variant", "one-at-a-time"]) == 0
    lines = capsys.readouterr().out.splitlines()
    seconds = [line.split()[0] for line in lines if line.endswith(".serve")]

    assert seconds == ["5", "50"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["one-instance", "--prices", "2020-01-01"], "before the first price list that is known"),
        (["one-instance", "--prices", "soon"], "is no date"),
        (["one-instance", "--get", "/"], "--get is no option of the scenario one-instance"),
        (["one-instance", "--days", "0"], "--days: 0 is not possible"),
        (["one-instance", "--for", "5"], "--for='5' is no duration"),
        (["one-instance", "--plan", "gold"], "invalid choice: 'gold'"),
        (["nothing"], "'nothing' is neither a scenario nor a project folder"),
    ],
)
def test_bad_arguments_are_one_paragraph(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bill", *arguments]) == 2

    assert told in capsys.readouterr().err


def test_no_stretch_is_refused(project: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bill", project, "--for", "0s"]) == 2

    assert "leaves nothing to bill" in capsys.readouterr().err
