"""What the pages need beside their text, put into `_static/vendor`: JavaScript from npm, and dosim's own wheel.

`python book/vendor.py` installs what package-lock.json names, copies the few files that pages use, and builds the
wheel. Without npm it says so and leaves no folder behind: then the book is built as text.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
VENDOR = BOOK / "_static" / "vendor"
MODULES = BOOK / "node_modules"
#: Which package-lock.json the folder was made from.
STAMP = VENDOR / "stamp.txt"
WITHOUT_NPM = (
    "npm was not found: the book is built as text. Formulas and diagrams stay source text, explorers stand still and no"
    " cell runs in the page. Install Node.js with npm, then run make book again."
)
#: path below node_modules -> path below vendor; a folder is copied with everything in it.
FILES = {
    "mermaid/dist/mermaid.min.js": "mermaid.min.js",
    "mathjax/es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
    "mathjax/es5/output/chtml/fonts": "mathjax/output/chtml/fonts",
    "requirejs/require.js": "require.js",
    "@jupyter-widgets/html-manager/dist/embed-amd.js": "@jupyter-widgets/html-manager/dist/embed-amd.js",
    "anywidget/dist/index.js": "anywidget.js",
    "pyodide/pyodide.mjs": "pyodide/pyodide.mjs",
    "pyodide/pyodide.asm.mjs": "pyodide/pyodide.asm.mjs",
    "pyodide/pyodide.asm.wasm": "pyodide/pyodide.asm.wasm",
    "pyodide/python_stdlib.zip": "pyodide/python_stdlib.zip",
    "pyodide/pyodide-lock.json": "pyodide/pyodide-lock.json",
}
#: Fonts that ipywidgets' stylesheet names; it looks for them in both places.
WIDGETS = "@jupyter-widgets/html-manager/dist"


def main() -> int:
    """Make the folder if it is not there for this package-lock.json, and the wheel; 0 with or without npm."""
    npm = shutil.which("npm")
    lock = sha256((BOOK / "package-lock.json").read_bytes()).hexdigest()
    fresh = STAMP.is_file() and STAMP.read_text("ascii") == lock
    if npm is None and not fresh:
        shutil.rmtree(VENDOR, ignore_errors=True)
        print(WITHOUT_NPM, file=sys.stderr)
        return 0
    if not fresh:
        install(str(npm))
        copy()
        STAMP.write_text(lock, "ascii")
    shutil.copyfile(wheel(BOOK / "_build" / "wheel"), VENDOR / "dosim.whl")
    return 0


def install(npm: str) -> None:
    """Exactly what package-lock.json names; no package runs a script of its own."""
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=BOOK, check=True)


def copy() -> None:
    """The files of `FILES` and the widgets' fonts."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    for source, target in [*FILES.items(), *fonts()]:
        (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
        if (MODULES / source).is_dir():
            shutil.copytree(MODULES / source, VENDOR / target)
        else:
            shutil.copyfile(MODULES / source, VENDOR / target)


def fonts() -> Iterator[tuple[str, str]]:
    for font in sorted((MODULES / WIDGETS).glob("*.woff2")):
        yield f"{WIDGETS}/{font.name}", f"{WIDGETS}/{font.name}"
        yield f"{WIDGETS}/{font.name}", f"@jupyter-widgets/{font.name}"


def wheel(folder: Path) -> Path:
    """dosim as it is now, for Pyodide. hatchling writes the same bytes for the same files."""
    from hatchling.builders.wheel import WheelBuilder

    folder.mkdir(parents=True, exist_ok=True)
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


if __name__ == "__main__":
    raise SystemExit(main())
