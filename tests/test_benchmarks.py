"""The benchmark runs, its models agree with one another, and its table says what was measured."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load(name: str) -> ModuleType:
    """A module of `benchmarks/`, which is no package."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_full_path_counts_every_request_and_keeps_at_least_the_records_of_the_simpy_model() -> None:
    """200 requests of 20 clients over 10 objects; the model itself asserts the count that the objects have stored."""
    assert load("full_path_dosim").run(200, clients=20, objects=10) >= 200 * 12


def test_three_ways_to_write_a_queue_wait_alike() -> None:
    """Kernel events, asyncio tasks and a Durable Object serve the same arrivals: one mean wait, up to rounding."""
    models = load("md1_dosim")
    waits = [run(400) for run in (models.run_events, models.run_tasks, models.run_object)]
    assert waits == pytest.approx([waits[0]] * 3, rel=1e-4)
    assert waits[0] > 0.5


def test_simpys_models_do_the_same_work() -> None:
    """Twelve records a request, and the same mean wait as dosim's queue."""
    pytest.importorskip("simpy")
    assert load("full_path_simpy").run(200, clients=20, objects=10) == 200 * 12
    assert load("md1_simpy").run(400) == pytest.approx(load("md1_dosim").run_events(400), rel=1e-4)


def test_the_test_of_ten_requests_holds_under_every_schedule_that_is_tried() -> None:
    """So its exploration, whose speed is measured, uses its whole budget: dosim's, and the one over asyncio alone."""
    explored = load("exploring_dosim")
    assert explored.run(30) == 30
    explored.run_plain(1)
    asyncio.run(load("exploring_asyncio").test())


@pytest.mark.parametrize("package", ["simloom", "detangle"])
def test_other_explorers_try_as_many(package: str) -> None:
    """Where they are installed they run the equivalent test as often as they are told."""
    pytest.importorskip(package)
    assert getattr(load("exploring_asyncio"), f"run_{package}")(5) == 5


def test_the_table_has_a_line_for_every_target() -> None:
    """`run.py --quick` ends well and names each measure with its target."""
    pytest.importorskip("simpy")
    done = subprocess.run(
        [sys.executable, "benchmarks/run.py", "--quick"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for target in (">= 1.0x", ">= 1.2x", "< 60 MB", "< 25 MB", "<= 1.5x", "< 1 s", "< 10 s"):
        assert target in done.stdout
