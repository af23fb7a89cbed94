"""Which of this Python's packages a project has for itself."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from dosim.project import installed


def test_a_project_shares_dosim_with_the_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """However dosim is installed: its extras name Django, and a copy of dosim would be of another world.

    In a checkout dosim is no distribution, so what `pip install` records is given here.
    """
    monkeypatch.setattr(installed, "_distributions", lambda: {"dosim": ["dosim"]})
    monkeypatch.setattr(installed, "_with_requirements", lambda name: {name, "django"})

    assert installed.own_folder("dosim") is None


def test_a_package_with_an_extra_for_django_is_shared() -> None:
    """Hypothesis has one (`hypothesis[django]`), keeps no application's state, and is slow to import anew."""
    required = metadata.requires("hypothesis") or ()

    assert any(text.lower().startswith("django") for text in required)
    assert installed.own_folder("hypothesis") is None


@pytest.mark.parametrize(
    ("requirement", "own"),
    [
        ("Django>=4.2", True),
        ('django; python_version >= "3.10"', True),
        ('django>=4.2; extra == "web"', False),
        ("django (>=4.2) ; (python_version >= '3.10') and extra=='web'", False),
        ("sqlparse>=0.3", False),
    ],
)
def test_what_is_built_on_django_is_an_isolates_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirement: str, own: bool
) -> None:
    """By what an installed package cannot do without, as `pip install` records it."""
    (tmp_path / "on_top.py").write_text("")
    recorded = tmp_path / "on_top-1.0.dist-info"
    recorded.mkdir()
    (recorded / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: on-top\nVersion: 1.0\nRequires-Dist: {requirement}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(installed, "_distributions", lambda: {"on_top": ["on-top"]})

    assert (str(tmp_path) if own else None) == installed.own_folder("on_top")
