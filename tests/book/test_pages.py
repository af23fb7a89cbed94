"""The book's pages, without building them: programs run, cases exist and pass, nothing is fetched."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from book._ext import building, cases
from dosim.testing.conformance.runner import run_paths

ROOT = Path(__file__).resolve().parent.parent.parent
BOOK = ROOT / "book"
PAGES = sorted(page for part in (".", "how-to", "explanation", "reference") for page in (BOOK / part).glob("*.md"))
NAMES = [page.relative_to(BOOK).with_suffix("").as_posix() for page in PAGES]
#: What a fence in a page may be; a pasted program or output would be another.
FENCES = {"{code-cell}", "{toctree}", "{include}", "{eval-rst}", "{glossary}", "mermaid"}


@dataclass(frozen=True)
class Program:
    """A code cell: the page's name, its number there, whether it runs in the page, its text."""

    page: str
    number: int
    live: bool
    text: str


def fences(text: str) -> list[tuple[str, str]]:
    """Every fenced block of a page: what it is, and what is in it."""
    return re.findall(r"^ *```(\S[^\n]*)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)


def programs() -> Iterator[Program]:
    for page, name in zip(PAGES, NAMES, strict=True):
        cells = [text for kind, text in fences(page.read_text("utf-8")) if kind == "{code-cell} python"]
        for number, text in enumerate(cells):
            options = re.match(r"(?::[^\n]*\n)*", text)
            assert options is not None
            yield Program(name, number, "live" in options.group(), text[options.end() :])


PROGRAMS = list(programs())
LIVE = [program for program in PROGRAMS if program.live]
WITH_PROGRAMS = sorted({program.page for program in PROGRAMS})
CLAIMS = re.split(r"^## ", (BOOK / "claims.md").read_text("utf-8"), flags=re.MULTILINE)[1:]


RECORDED_FENCE = re.compile(r"^:::\{recorded\} (\S+)\n(.*?):::", re.DOTALL | re.MULTILINE)


def recorded() -> Iterator[tuple[str, list[str]]]:
    """Every `recorded` directive: the case's id, and what it shows."""
    for page in PAGES:
        for case_id, body in RECORDED_FENCE.findall(page.read_text("utf-8")):
            show = re.search(r"^:show: (.*)$", body, re.MULTILINE)
            yield case_id, [part.strip() for part in show.group(1).split(";")] if show else []


RECORDED = list(recorded())


def test_every_page_is_in_the_table_of_contents() -> None:
    """
    The toctrees of the first page name every other page, once.
    """
    trees = [text for kind, text in fences((BOOK / "index.md").read_text("utf-8")) if kind == "{toctree}"]
    entries = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]

    assert sorted({*NAMES, f"course/{building.PATTERN.removesuffix('.ipynb')}"} - {"index"}) == sorted(entries)


def test_the_course_is_every_notebook_in_order_of_its_number() -> None:
    """
    The pattern that takes notebooks into the book takes all of them, and their names sort as their numbers do.
    """
    names = [notebook.name for notebook in building.course()]

    assert sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")) == names
    assert list(range(1, len(names) + 1)) == [int(name.split("-")[0]) for name in names]


def test_pages_hold_no_pasted_program_or_output() -> None:
    """
    Whatever is fenced in a page is executed, drawn or included; nothing was typed in as if it had been printed.
    """
    kinds = {kind.split()[0] for page in PAGES for kind, _ in fences(page.read_text("utf-8"))}

    assert kinds <= FENCES


@pytest.mark.parametrize("program", LIVE, ids=lambda program: f"{program.page}-{program.number}")
def test_a_program_that_runs_in_the_page_stands_alone(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Each live program runs in an empty namespace, as it does in the browser, prints, and its asserts hold.
    """
    exec(compile(program.text, f"{program.page}-{program.number}", "exec"), {"__name__": "__main__"})

    assert capsys.readouterr().out


@pytest.mark.parametrize("page", [page for page in WITH_PROGRAMS if page.startswith(("how-to", "explanation"))])
def test_the_programs_of_a_page_run_from_top_to_bottom(page: str) -> None:
    """
    The cells of a page run one after another in one namespace.
    """
    names: dict[str, object] = {"__name__": "__main__"}
    for program in PROGRAMS:
        if program.page == page:
            exec(compile(program.text, f"{page}-{program.number}", "exec"), names)

    assert len(names) > 2


def test_there_are_a_dozen_claims_or_more() -> None:
    """
    The page of claims has at least twelve, and each heading is a sentence in quotation marks.
    """
    headings = [claim.splitlines()[0] for claim in CLAIMS]

    assert len(headings) >= 12
    assert [heading for heading in headings if not re.fullmatch(r'".*"', heading)] == []


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: re.sub(r"\W+", "-", claim.splitlines()[0]).strip("-"))
def test_a_claim_has_a_verdict_a_program_with_asserts_and_a_recorded_answer(claim: str) -> None:
    """
    Under each claim: a verdict in bold, a live program that asserts, and a recorded case, or why there is none.
    """
    (program,) = [text for kind, text in fences(claim) if kind == "{code-cell} python"]
    case = ":::{recorded} " in claim

    assert re.match(r'".*"\n\n\*\*', claim)
    assert ":tags: [live]" in program and re.search(r"^assert ", program, re.MULTILINE)
    assert case or "There is no recorded answer" in claim


@pytest.mark.parametrize(("case_id", "show"), RECORDED, ids=[case_id for case_id, _ in RECORDED])
def test_a_named_case_exists_shows_something_and_passes(case_id: str, show: list[str]) -> None:
    """
    The case that a page names is there, what is shown of it is in it, and dosim's replay of it passes.
    """
    path = cases.find_case(case_id)
    (result,) = run_paths([path.parent if path.name == "expected.json" else path])

    assert case_id == result.id
    assert result.passes, f"{case_id}: {result.status}"
    assert all(cases.answers(path, show))


def test_a_case_that_does_not_exist_is_refused_by_name() -> None:
    """
    A misspelt case id stops the build with its name.
    """
    with pytest.raises(KeyError, match="no recorded case is called 'gate_ten'"):
        cases.find_case("gate_ten")


def test_nothing_of_ours_names_an_address() -> None:
    """
    Neither the configuration nor a script or style of ours has another site's address; an XML namespace is a name.
    """
    ours = [BOOK / "conf.py", *(BOOK / "_static").glob("*.*")]
    texts = {path.name: path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "") for path in ours}
    found = {name: re.findall(r"(?:https?:)?//[\w-]+\.[\w./-]+", text) for name, text in texts.items()}
    found = {name: addresses for name, addresses in found.items() if addresses}

    assert len(ours) > 5
    assert found == {}


def test_vendored_versions_are_exact() -> None:
    """
    package.json names one version of each package, and package-lock.json holds the same, with a checksum.
    """
    wanted = json.loads((BOOK / "package.json").read_text("utf-8"))["dependencies"]
    locked = json.loads((BOOK / "package-lock.json").read_text("utf-8"))["packages"]

    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(locked[f"node_modules/{name}"]["integrity"].startswith("sha512-") for name in wanted)
