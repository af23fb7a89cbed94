"""Which of this Python's packages a project has for itself."""

from __future__ import annotations

import pytest

from dosim.project import installed


def test_a_project_shares_dosim_with_the_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """However dosim is installed: its extras name Django, and a copy of dosim would be of another world.

    In a checkout dosim is no distribution, so what `pip install` records is given here.
    """
    monkeypatch.setattr(installed, "_distributions", lambda: {"dosim": ["dosim"]})
    monkeypatch.setattr(installed, "_with_requirements", lambda name: {name, "django"})

    assert installed.own_folder("dosim") is None
