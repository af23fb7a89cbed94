"""`three-architectures`: the database loses updates, the server is far, the objects do neither."""

from __future__ import annotations

import pytest

from dosim.scenarios.three_architectures import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_only_the_functions_lose_updates(lesson) -> None:
    """Reading and writing are two steps there; an object's gate makes them one."""
    lost = lesson.facts["lost_updates"]
    assert lost["database"] > lesson.facts["edits"] // 4
    assert lost["server"] == lost["object"] == 0


def test_the_objects_are_near(lesson) -> None:
    """Each document lives where its people are; the server and the database live where the first of all was."""
    p50_us = lesson.facts["p50_us"]
    assert p50_us["object"] * 3 < p50_us["server"] < p50_us["database"]


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digests."""
    assert run().to_json() == lesson.to_json()
    assert "lost updates" in str(lesson)
