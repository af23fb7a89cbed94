"""`identity`: a typo makes an object; only the object itself knows whether it was set up."""

from __future__ import annotations

import pytest

from dosim.scenarios.identity import run


@pytest.fixture(scope="module")
def lesson():
    return run()


def test_a_typo_is_an_object(lesson) -> None:
    """Two classes, each with its workspace, the typo; one more that was reached by its digits."""
    assert {"careless": "200", "workspace": "404"} == lesson.facts["typo_status"]
    assert lesson.facts["objects"] == 4
    assert len(lesson.worlds[0].sim.objects) == 5


def test_which_object_it_is(lesson) -> None:
    """Name and digits are one object; another class, a jurisdiction or a unique id is another."""
    assert [True, True, True, False, False, False] == list(lesson.facts["same"].values())


def test_the_name_inside_depends_on_who_came_first(lesson) -> None:
    """First reached by its digits, an object does not know its name (recorded)."""
    inside = list(lesson.facts["name_inside"].values())[:3]
    assert ["acme", "acme", "None"] == inside


def test_init_is_told_apart_from_init_again(lesson) -> None:
    """The class that knows says so; the careless one cannot."""
    text = str(lesson)
    assert "workspace  " in text
    assert run().to_json() == lesson.to_json()
