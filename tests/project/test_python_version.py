"""The platform's Python, and telling a source that needs a newer Python from a plain mistake."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dosim.project import Isolate, ProjectError, needs_newer, platform_python, required_python

WriteProject = Callable[..., Path]
Build = Callable[..., Isolate]


@pytest.mark.parametrize(
    ("date", "flags", "version"),
    [
        ("2026-09-08", (), "3.14"),
        ("2026-09-07", (), "3.13"),
        ("2025-09-29", (), "3.13"),
        ("2025-09-28", (), "3.12"),
        ("2025-01-01", ("python_workers", "python_workers_20250116"), "3.13"),
        ("2025-10-01", ("python_workers_314",), "3.14"),
        ("2026-11-01", ("no_python_workers_314",), "3.13"),
    ],
)
def test_the_date_and_flags_decide_the_python(date: str, flags: tuple[str, ...], version: str) -> None:
    """Python 3.14 from 2026-09-08, 3.13 from 2025-09-29, 3.12 before; flags ask for one earlier or not at all."""
    assert version == platform_python(date, flags)


def syntax_error(path: Path, line_number: int, message: str) -> SyntaxError:
    line = path.read_text(encoding="utf-8").split("\n")[line_number - 1]
    return SyntaxError(message, (str(path), line_number, 1, line, line_number, 2))


@pytest.mark.parametrize(
    ("line", "message", "needed", "what"),
    [
        ("type Names = list[str]", "invalid syntax", (3, 12), "the `type` statement"),
        ("type Pair[T] = tuple[T, T]", "invalid syntax", (3, 12), "the `type` statement"),
        ("def first[T](items: list[T]) -> T: ...", "expected '('", (3, 12), "type parameters"),
        ("async def first[T](items): ...", "expected '('", (3, 12), "type parameters"),
        ("class Box[T]: ...", "invalid syntax", (3, 12), "type parameters"),
        ("class Box[T = int]: ...", "invalid syntax", (3, 13), "defaults of type parameters"),
        ("type Box[T = int] = list[T]", "invalid syntax", (3, 13), "defaults of type parameters"),
        ('x = f"{d["key"]}"', "f-string: unmatched '['", (3, 12), "inside f-strings"),
        ("x = rf'{d['key']}'", "f-string: unmatched '['", (3, 12), "inside f-strings"),
        ('x = f"{', "unterminated string literal (detected at line 2)", (3, 12), "inside f-strings"),
        ('x = t"hello {name}"', "invalid syntax", (3, 14), "t-strings"),
        ("except KeyError, ValueError:", "multiple exception types must be parenthesized", (3, 14), "`except` of"),
    ],
)
def test_newer_syntax_is_recognised(
    project: WriteProject, line: str, message: str, needed: tuple[int, int], what: str
) -> None:
    """The error names file, line, the construct, the Python it needs and the running one."""
    folder = project({"src/entry.py": f"import js\n{line}\n"})
    error = needs_newer(syntax_error(folder / "src/entry.py", 2, message), folder, (3, 14), running=(3, 11))

    assert error is not None
    text = str(error)
    assert text.startswith(f"src/entry.py, line 2, needs Python {needed[0]}.{needed[1]} for ")
    assert what in text
    assert f"this is Python 3.11: run dosim with Python {needed[0]}.{needed[1]} or newer" in text


def test_what_the_running_python_knows_is_not_blamed(project: WriteProject) -> None:
    """On 3.13 a mistake in a `type` statement is not a matter of 3.12: only the platform's 3.14 is left to name."""
    folder = project({"src/entry.py": "type X = = int\n"})
    error = needs_newer(syntax_error(folder / "src/entry.py", 1, "invalid syntax"), folder, (3, 14), running=(3, 13))

    assert str(error) == (
        "src/entry.py, line 1, is for Python 3.14, and this is Python 3.13: it cannot parse `type X = = int` "
        "(invalid syntax). Run dosim with Python 3.14 if the line is right there; else correct it."
    )


@pytest.mark.parametrize("running", [(3, 14), (3, 15)])
def test_an_equal_python_makes_every_error_plain(project: WriteProject, running: tuple[int, int]) -> None:
    """Where the running Python is the platform's or newer, a syntax error is the author's."""
    folder = project({"src/entry.py": "def f(:\n"})

    assert needs_newer(syntax_error(folder / "src/entry.py", 1, "invalid syntax"), folder, (3, 14), running) is None


@pytest.mark.parametrize("message", ["'(' was never closed", "'return' outside function", "unmatched ')'"])
def test_what_no_grammar_allows_is_plain(project: WriteProject, message: str) -> None:
    """An error that no newer Python would take away stays a syntax error on an older one."""
    folder = project({"src/entry.py": "x = (1\n"})

    assert needs_newer(syntax_error(folder / "src/entry.py", 1, message), folder, (3, 14), running=(3, 11)) is None


def test_errors_outside_the_project_are_plain(project: WriteProject, tmp_path: Path) -> None:
    """Text given to eval, or an installed package's file, is not the project's source."""
    folder = project()
    (tmp_path / "elsewhere.py").write_text("type X = int\n", encoding="utf-8")

    elsewhere = syntax_error(tmp_path / "elsewhere.py", 1, "invalid syntax")
    text = SyntaxError("invalid syntax", ("<string>", 1, 1, "type X = int", 1, 2))
    assert [None, None] == [needs_newer(error, folder, (3, 14), running=(3, 11)) for error in (elsewhere, text)]


def raised_by(isolate: Isolate) -> Exception:
    with pytest.raises((ImportError, AttributeError, NameError)) as caught:
        isolate.load()
    return caught.value


def on_an_equal_python(build: Build, folder: Path) -> Exception:
    """What loading raises where the platform is said to be older than this Python: the error before judgement."""
    return raised_by(build(folder, python_version="3.10"))


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("from functools import Placeholder\n", "needs Python 3.14 for functools.Placeholder"),
        ("from string.templatelib import Template\n", "needs Python 3.14 for string.templatelib"),
        ("import annotationlib\n", "needs Python 3.14 for annotationlib"),
        ("import uuid\nX = 1\nkey = uuid.uuid7()\n", "line 3, needs Python 3.14 for uuid.uuid7"),
    ],
)
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python has them")
def test_newer_names_of_the_standard_library_are_recognised(
    project: WriteProject, isolate: Build, text: str, needed: str
) -> None:
    """A name the standard library got later is named with the Python that has it and the running one."""
    with pytest.raises(ProjectError) as caught:
        isolate(project({"src/entry.py": text})).load()

    assert needed in str(caught.value)
    assert f"this is Python 3.{sys.version_info.minor}" in str(caught.value)


def test_a_name_the_standard_library_lacks_counts_as_the_platforms(project: WriteProject, isolate: Build) -> None:
    """A name that no table knows may be a mistake: the error says both."""
    folder = project({"src/entry.py": "\nfrom json import frobnicate\n"})
    error = on_an_equal_python(isolate, folder)

    assert str(needs_newer(error, folder, (3, 14), running=(3, 11))) == (
        "src/entry.py, line 2, is for Python 3.14, and this is Python 3.11: its standard library has no "
        "json.frobnicate. Run dosim with Python 3.14 if the line is right there; else correct it."
    )
    assert needs_newer(error, folder, (3, 14), running=(3, 14)) is None


def test_names_of_other_modules_are_plain(project: WriteProject, isolate: Build) -> None:
    """A name missing from a project's own module or a shim has nothing to do with Python's version."""
    for text in ("from helper import nothing\n", "import helper\nhelper.nothing\n", "from js import Nothing\n"):
        folder = project({"src/entry.py": text, "src/helper.py": ""})
        error = on_an_equal_python(isolate, folder)

        assert needs_newer(error, folder, (3, 14), running=(3, 11)) is None


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python evaluates annotations when asked")
def test_an_annotation_of_a_later_class_needs_3_14(project: WriteProject, isolate: Build) -> None:
    """Python 3.14 evaluates annotations only when asked, so naming a later class is right there."""
    text = "class Room:\n    def other(\n        self,\n    ) -> Peer: ...\n\nclass Peer: ...\n"
    with pytest.raises(ProjectError, match="for an annotation that names Peer before it is defined") as caught:
        isolate(project({"src/entry.py": text})).load()
    assert str(caught.value).startswith("src/entry.py, line 4, needs Python 3.14")

    with pytest.raises(NameError, match="Peer"):
        isolate(project({"src/entry.py": text}), python_version=f"3.{sys.version_info.minor}").load()
    with pytest.raises(NameError, match="Peer"):
        isolate(project({"src/entry.py": "x = Peer()\ndef f(p: int): ...\n"})).load()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python can parse it")
def test_loading_newer_syntax_is_an_error_with_both_versions(project: WriteProject, isolate: Build) -> None:
    """Through the real compiler, in a sibling module: file, line, needed and running Python."""
    folder = project({"src/entry.py": "import helper\n", "src/helper.py": "\ntry: ...\nexcept A, B: ...\n"})
    with pytest.raises(ProjectError) as caught:
        isolate(folder).load()

    here = f"this is Python 3.{sys.version_info.minor}"
    assert (
        f"src/helper.py, line 3, needs Python 3.14 for `except` of several classes without parentheses, and {here}"
        in (str(caught.value))
    )
    assert isinstance(caught.value.__cause__, SyntaxError)


def test_a_plain_syntax_error_says_where(project: WriteProject, isolate: Build) -> None:
    """On an equal Python the syntax error itself is raised, its place in its text."""
    folder = project({"src/entry.py": "import helper\n", "src/helper.py": "x = 1\ndef f(:\n"})
    with pytest.raises(SyntaxError, match=r"invalid syntax \(helper.py, line 2\)"):
        isolate(folder, python_version=f"3.{sys.version_info.minor}").load()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('[project]\nrequires-python = ">=3.12"\n', (3, 12)),
        ('[project]\nrequires-python = "~=3.13.1, <4, !=3.14.0"\n', (3, 13)),
        ('[project]\nrequires-python = "<3.13"\n', None),
        ('[project]\nname = "app"\n', None),
        ("not toml", None),
    ],
)
def test_requires_python_is_read(project: WriteProject, text: str, version: tuple[int, int] | None) -> None:
    """The lower bound of `requires-python`; a file without one, or malformed, says nothing."""
    assert version == required_python(project({"pyproject.toml": text}))


def test_requires_python_above_the_platforms_counts(project: WriteProject) -> None:
    """A project that asks for more than its date gives is judged by what it asks for."""
    folder = project({"src/entry.py": "def f(:\n", "pyproject.toml": '[project]\nrequires-python = ">=3.15"\n'})
    error = needs_newer(syntax_error(folder / "src/entry.py", 1, "invalid syntax"), folder, (3, 14), running=(3, 14))

    assert "is for Python 3.15, and this is Python 3.14" in str(error)


def test_modules_beside_the_folder_are_the_projects_too(project: WriteProject, isolate: Build) -> None:
    """An entry module outside the folder, as in "main": "../src/entry.py", is not somebody else's source."""
    folder = project({"../shared/entry.py": ""})

    assert folder.resolve() == isolate(folder).source_folder
    assert folder.parent.resolve() == isolate(folder, main="../shared/entry.py").source_folder
