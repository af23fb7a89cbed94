"""`identity`: a typo makes an object; only the object itself knows whether it was set up, and its name."""

from __future__ import annotations

import pytest

from dosim.cli import main
from dosim.scenarios.identity import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def _answers(lesson, kind: str) -> list[tuple[int, str]]:
    return [(step[kind]["status"], step[kind]["body"]) for step in lesson.facts["steps"]]


def test_the_careless_class_takes_the_typo(lesson) -> None:
    """The house is in another object, and a second init takes the workspace over."""
    assert _answers(lesson, "careless") == [
        (200, "true"), (200, '["boat"]'), (200, '["house"]'), (200, '["house"]'), (200, '["boat"]'), (200, "true"),
    ]  # fmt: skip
    assert lesson.worlds[0].sim.objects["Careless('acme')"].storage["owner"] == "ben"


def test_the_class_that_knows_refuses_it(lesson) -> None:
    """404, nothing is stored, and a second init changes nothing."""
    assert _answers(lesson, "workspace") == [
        (200, "true"), (200, '["boat"]'), (404, "no workspace acmee"), (404, "no workspace acmee"), (200, '["boat"]'),
        (200, "false"),
    ]  # fmt: skip
    assert lesson.worlds[0].sim.objects["Workspace('acme')"].storage["owner"] == "ann"


def test_a_typo_is_an_object(lesson) -> None:
    """Two classes, each with its workspace and the typo; what was refused has stored nothing."""
    assert lesson.facts["objects"] == 4
    assert lesson.facts["entries_stored_by_typo"] == {"careless": 1, "workspace": 0}


def test_which_object_it_is(lesson) -> None:
    """Name and digits are one object; a jurisdiction, a unique id or another class is another."""
    assert [one["same"] for one in lesson.facts["reached"]] == [True] * 4 + [False] * 3


def test_digits_lose_the_name(lesson) -> None:
    """In the Worker always; inside for the life that they began (recorded); what init stored stays."""
    reached = lesson.facts["reached"]
    assert [one["id_name"] for one in reached[:4]] == ["acme", None, None, "acme"]
    assert [one["ctx"] for one in reached[:4]] == ["acme", "acme", None, None]
    assert [one["stored"] for one in reached[:4]] == ["acme"] * 4


def test_the_same_name_in_the_eu_was_never_set_up(lesson) -> None:
    """It knows its name, and has nothing stored; a unique id has neither."""
    eu, unique = lesson.facts["reached"][4:6]
    assert (eu["ctx"], eu["stored"]) == ("acme", None)
    assert (unique["ctx"], unique["stored"]) == (None, None)


def test_it_repeats(lesson) -> None:
    """Same seed, same facts and digest."""
    assert run().to_json() == lesson.to_json()


def test_it_prints_its_claim(capsys: pytest.CaptureFixture[str]) -> None:
    """By name, from the command line."""
    assert main(["run", "identity"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "two names in two classes made 4 objects" in printed
