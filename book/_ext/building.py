"""What is made before the pages are read: copies of the notebooks, tables, and a digest of the code that they show."""

from __future__ import annotations

import json
import shutil
from functools import cache
from hashlib import sha256
from pathlib import Path

from book._ext import tables

BOOK = Path(__file__).resolve().parent.parent
ROOT = BOOK.parent
NOTEBOOKS = ROOT / "notebooks"
COURSE = BOOK / "course"
GENERATED = BOOK / "_generated"
CASES = ROOT / "tests" / "conformance"
#: The notebooks of the course, in the order of their numbers.
PATTERN = "[01]*.ipynb"
#: Files that programs of the book run, or that its tables are made from.
SOURCES = (
    "dosim/**/*.py",
    "dosim/**/*.js",
    "dosim/**/*.css",
    "dosim/**/*.json",
    "dosim/**/*.jsonc",
    "tests/conformance/**/*.json",
    "book/_ext/*.py",
)


@cache
def digest() -> str:
    """SHA-256 over names and bytes of `SOURCES`."""
    text = sha256()
    for pattern in SOURCES:
        for file in sorted(ROOT.glob(pattern)):
            text.update(f"{file.relative_to(ROOT).as_posix()}\0".encode())
            text.update(file.read_bytes())
    return text.hexdigest()[:16]


def cache_folder(name: str) -> Path:
    """The folder of executed programs for this digest; those of other digests are removed."""
    folder = BOOK / "_build" / "executed"
    for old in folder.glob("*"):
        if old.name != name:
            shutil.rmtree(old)
    return folder / name


def course() -> list[Path]:
    """The notebooks of the course."""
    return sorted(NOTEBOOKS.glob(PATTERN))


def take_notebooks() -> None:
    """Copy the course below the book, where Sphinx looks for pages. Equal files keep their time."""
    COURSE.mkdir(exist_ok=True)
    wanted = {notebook.name: notebook.read_text("utf-8") for notebook in course()}
    for old in COURSE.glob("*.ipynb"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        write(COURSE / name, text)


def write_tables(name: str) -> None:
    """Write every generated table; recorded cases run only when the digest is new."""
    GENERATED.mkdir(exist_ok=True)
    for page, text in tables.constant_tables().items():
        write(GENERATED / page, text)
    rows = conformance(name)
    for page, text in tables.conformance_tables(rows).items():
        write(GENERATED / page, text)


def conformance(name: str) -> list[dict[str, object]]:
    """The result of every recorded case, run now or kept from an earlier build of the same digest."""
    kept = GENERATED / f"conformance-{name}.json"
    if not kept.is_file():
        for old in GENERATED.glob("conformance-*.json"):
            old.unlink()
        rows = tables.run_cases(CASES)
        kept.write_text(json.dumps(rows), "utf-8")
    loaded: list[dict[str, object]] = json.loads(kept.read_text("utf-8"))
    return loaded


def write(path: Path, text: str) -> None:
    """Write a file unless it says so already: Sphinx goes by the time of change."""
    if not path.is_file() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
