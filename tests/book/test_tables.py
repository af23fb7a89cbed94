"""What the book makes from dosim's own data and docstrings."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

import dosim.testing.invariants
from book import lite, vendor
from book._ext import docstrings, tables
from dosim.kernel.chooser import FAULTS, KIND_OF, ORDERS, Schedule
from dosim.network import CONSTANTS
from dosim.platform import facts

MODULES = [module for modules in tables.MODULES.values() for module in modules]
WORDS = {"documented", "measured", "assumed", "decided"}


@pytest.mark.parametrize("module", MODULES)
def test_every_constant_says_how_it_is_known(module: str) -> None:
    """
    Each row has a status, in the words that the page explains.
    """
    rows = tables.constants_of(module)

    assert rows
    assert {row.name: row.status for row in rows if not row.status} == {}
    assert {word for row in rows for word in row.status.split(", ")} <= WORDS


def test_no_fact_of_the_platform_is_left_out() -> None:
    """
    Every number and date of `dosim.platform.facts` is a row, but for units of time and error texts.
    """
    public = {name for name, value in vars(facts).items() if name.isupper() and isinstance(value, int | float | str)}
    texts = {name for name in public if name.endswith("_TEXT")}
    listed = {row.name for row in tables.constants_of("dosim.platform.facts")}

    assert public - texts - {"MS_US", "SECOND_US", "MINUTE_US"} == listed


def test_a_row_has_the_value_of_the_code() -> None:
    """
    A time is written with its unit, bytes as bytes, and a comment counts for the names right below it.
    """
    rows = {row.name: row for row in tables.constants_of("dosim.platform.facts")}

    assert rows["IDLE_EVICTION_US"].value == "10 s"
    assert rows["ATTACHMENT_LIMIT_BYTES"].value == f"{facts.ATTACHMENT_LIMIT_BYTES:,} bytes"
    assert rows["SOCKET_TAGS"].comment == rows["TAG_LENGTH"].comment
    assert rows["BLOCK_LIMIT_US"].status == "documented, measured"


def test_the_network_table_has_every_constant() -> None:
    """
    `CONSTANTS` is printed whole, each with its status.
    """
    listed = re.findall(r"^\| `(\w+)` \|[^|]*\| (\w+) \|", tables.network_table(), re.MULTILINE)

    assert [(constant.name, constant.status) for constant in CONSTANTS] == listed


def test_the_platform_table_has_every_difference() -> None:
    """
    `TABLE` is printed whole, with the values of both platforms.
    """
    text = tables.platform_table()

    assert [what for what, _, _ in facts.TABLE.values() if f"| {what} |" not in text] == []
    assert f"**{facts.WORKERD.row_limit_bytes:,}**" in text and f"**{facts.CLOUDFLARE.row_limit_bytes:,}**" in text


def test_every_kind_of_decision_and_every_fault_is_a_row() -> None:
    """
    What the chooser knows is printed whole, each as a schedule has it, and nothing that it does not know.
    """
    orders, faults = tables.decision_table(), tables.fault_table()
    written = re.findall(r"`(\w+1=\w+)`", orders + faults)

    assert set(tables.DECISIONS) == {*ORDERS, *FAULTS} and set(tables.BRINGS) == set(KIND_OF)
    assert len(ORDERS) + len(KIND_OF) == len(written) == len({str(Schedule.parse(text)) for text in written})
    assert [kind for kind in ORDERS if f"| `{kind}` |" not in orders] == []
    assert [fault for fault in KIND_OF if f"| `{fault}` |" not in faults] == []


@pytest.mark.parametrize(("page", "module"), [("testing", dosim.testing), ("invariants", dosim.testing.invariants)])
def test_the_reference_has_every_public_name(page: str, module: ModuleType) -> None:
    """
    A name that users import has its place in the reference, and once.
    """
    text = (vendor.BOOK / "reference" / f"{page}.md").read_text("utf-8")
    named = re.findall(rf"^\.\. auto(?!module)\w+:: {re.escape(module.__name__)}\.(\w+)", text, re.MULTILINE)

    assert sorted(module.__all__) == sorted(named)


def test_conformance_counts_add_up() -> None:
    """
    The last row of the counts is the sum of the rows above it.
    """
    rows = [
        {"id": "a", "area": "alarm", "format": "python", "status": "passed", "rules": []},
        {"id": "b", "area": "alarm", "format": "python", "status": "adapted", "rules": ["S1"]},
        {"id": "c", "area": "kv", "format": "storage", "status": "not applicable", "rules": ["S1"]},
    ]
    pages = tables.conformance_tables(rows)

    assert pages["conformance.md"].splitlines()[-1] == "| **all** |  | **1** | **1** | **0** | **1** | **0** |"
    assert "`c` | not applicable | none" in pages["conformance-skipped.md"]


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("see `sim.run` or 2 * x ** shape", r"see \ ``sim.run``\  or 2 \* x \*\* shape"),
        ("a|b and name_ here", r"a\|b and name\_ here"),
        ("durable_objects: binding -> class", "durable_objects: binding -> class"),
    ],
)
def test_a_docstring_means_what_it_says(line: str, made: str) -> None:
    """
    Backquoted names become code; what reStructuredText would take for markup means itself.
    """
    assert docstrings.rst([line]) == [made]


def test_an_indented_block_is_a_program() -> None:
    """
    A block that is indented after an empty line becomes a literal block, untouched.
    """
    assert docstrings.rst(["Use it:", "", "    a = b * c_", "", "Then."]) == [
        "Use it:", "", "::", "", "    a = b * c_", "", "Then.",
    ]  # fmt: skip


def test_code_may_go_over_the_end_of_a_line() -> None:
    """
    Code that a docstring breaks between two lines is one piece of code.
    """
    assert docstrings.rst(["Limits: `tuned(a,", "b=1)`. Then."]) == [r"Limits: \ ``tuned(a, b=1)``\ . Then."]


def test_the_page_of_claims_is_a_notebook_too() -> None:
    """
    Every program of the page is a cell of the notebook for the browser, and no Sphinx directive is left in its text.
    """
    page = (vendor.BOOK / "claims.md").read_text("utf-8")
    cells = lite.notebook(page)["cells"]
    codes = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    texts = "".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")

    assert lite.HOW_TO_RUN in page
    assert len(codes) == page.count("```{code-cell}") and [code for code in codes if code.startswith(":")] == []
    assert not re.search(r":::|\{doc\}|```|Press \*\*Edit", texts)
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_lite_without_npm_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    No npm and nothing installed by it: exit code 1 and the reason.
    """
    monkeypatch.setattr(vendor, "MODULES", tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)

    assert lite.main() == 1
    assert "install Node.js" in capsys.readouterr().err


def test_without_npm_the_build_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    No npm: exit code 0, one message, and no half-made folder for the configuration to find.
    """
    folder = tmp_path / "vendor"
    folder.mkdir()
    monkeypatch.setattr(vendor, "VENDOR", folder)
    monkeypatch.setattr(vendor, "STAMP", folder / "stamp.txt")
    monkeypatch.setattr("shutil.which", lambda name: None)

    assert vendor.main() == 0
    assert capsys.readouterr().err.startswith("npm was not found: the book is built as text.")
    assert not folder.exists()
