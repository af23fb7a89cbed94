"""A JupyterLite site: a notebook that runs dosim in the browser, with nothing installed and no server but for files.

`python book/lite.py` writes it to `_output`. Python (Pyodide) comes from npm, the pure packages beside it from PyPI,
and the finished site asks no other site for anything. Its notebook is the page of claims: packages with compiled parts
(matplotlib, numpy) have no wheel for the browser on PyPI, so notebooks that draw with them cannot run there.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
sys.path.insert(0, str(ROOT))

from book import vendor  # noqa: E402 (found through the line above)

OUTPUT = ROOT / "_output"
WORK = BOOK / "_build" / "lite"
PYODIDE = WORK / "static" / "pyodide"
CORE = ("pyodide.js", "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
#: What the kernel itself loads, and what a notebook of ours may import; the rest of the lock is left out.
WANTED = ("micropip", "ipython", "jedi", "packaging", "typing-extensions", "pyodide-http")
#: Packages of the site's own index. psygnal's wheel without compiled parts is only found for the browser's platform.
WIDGETS = ("comm==0.2.3", "ipywidgets==8.1.9", "jupyterlab_widgets==3.0.17", "anywidget==0.11.0", "psygnal==0.16.1")
#: What the page says of its own buttons, which a notebook does not have.
HOW_TO_RUN = (
    "Do you disagree? Press **Edit**, change the program, and run it in this page. The first run loads Python, which"
    " takes some seconds; times in the programs are simulated, so nobody waits for them."
)
SETTINGS = {
    "jupyter-lite-schema-version": 0,
    "jupyter-config-data": {
        "appName": "dosim",
        "litePluginSettings": {"@jupyterlite/pyodide-kernel-extension:kernel": {"disablePyPIFallback": True}},
    },
}


def main() -> int:
    """Build the site; 1, with the reason, where npm is missing."""
    npm = shutil.which("npm")
    if npm is None and not (vendor.MODULES / "pyodide").is_dir():
        print("make lite needs npm, which was not found: install Node.js, then run it again.", file=sys.stderr)
        return 1
    if not (vendor.MODULES / "pyodide").is_dir():
        vendor.install(str(npm))
    shutil.rmtree(WORK, ignore_errors=True)
    PYODIDE.mkdir(parents=True)
    for name in CORE:
        shutil.copyfile(vendor.MODULES / "pyodide" / name, PYODIDE / name)
    write_lock(vendor.wheel(WORK / "wheel"))
    download(WORK / "wheels", *WIDGETS, platform="pyemscripten_2026_0_wasm32")
    (WORK / "files").mkdir()
    claims = notebook((BOOK / "claims.md").read_text("utf-8"))
    (WORK / "files" / "dispute-a-claim.ipynb").write_text(json.dumps(claims, indent=1, ensure_ascii=False), "utf-8")
    (WORK / "jupyter-lite.json").write_text(json.dumps(SETTINGS, indent=1), "utf-8")
    build()
    return 0


def notebook(page: str) -> dict[str, Any]:
    """A page of the book as a notebook: its programs as cells; of a recorded answer only the case's id stays."""
    page = page.partition("---\n")[2].partition("---\n")[2]
    page = re.sub(r"^:::\{recorded\} (\S+)\n.*?^:::$", r"*Recorded case: \1*", page, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"\{doc\}`([^`<]+?) ?(?:<[^`]*>)?`", r"\1", page)
    page = page.replace(HOW_TO_RUN, "Do you disagree? Change a program and run it: Shift and Enter.")
    cells = []
    for number, part in enumerate(
        re.split(r"^```\{code-cell\} python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    ):
        text = re.sub(r"\A(?::[^\n]*\n)+", "", part).strip()
        code = {"cell_type": "code", "execution_count": None, "outputs": []}
        kind = code if number % 2 else {"cell_type": "markdown"}
        if text:
            cells.append({**kind, "id": f"part-{number}", "metadata": {}, "source": text})
    about = {"kernelspec": {"name": "python", "display_name": "Python (Pyodide)"}, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def write_lock(dosim: Path) -> None:
    """Pyodide's list of packages, cut to what is here: wheels from PyPI with their own checksums, and dosim."""
    path = PYODIDE / "pyodide-lock.json"
    lock = json.loads(path.read_text("utf-8"))
    packages = dict(closure(lock["packages"]))
    download(PYODIDE, *(f"{entry['name']}=={entry['version']}" for entry in packages.values()))
    wheels = {plain(wheel.name.split("-")[0]): wheel for wheel in PYODIDE.glob("*.whl")}
    for entry in packages.values():
        place(entry, wheels[plain(entry["name"])])
    entry = dict(packages["micropip"], name="dosim", version=dosim.name.split("-")[1], imports=["dosim"], depends=[])
    shutil.copyfile(dosim, PYODIDE / dosim.name)
    place(entry, PYODIDE / dosim.name)
    lock["packages"] = {**packages, "dosim": entry}
    path.write_text(json.dumps(lock, indent=1), "utf-8")


def closure(known: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The wanted packages and all they depend on, by the names that the lock gives them."""
    seen: set[str] = set()
    left = list(WANTED)
    while left:
        name = plain(left.pop()).replace("_", "-")
        if name not in seen:
            seen.add(name)
            left += known[name]["depends"]
            yield name, dict(known[name])


def place(entry: dict[str, Any], wheel: Path) -> None:
    entry["file_name"] = wheel.name
    entry["sha256"] = sha256(wheel.read_bytes()).hexdigest()


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def download(folder: Path, *requirements: str, platform: str = "any") -> None:
    """Exactly these wheels, for the browser's Python."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    target = ["--only-binary", ":all:", "--python-version", "3.14", "--platform", platform, "--dest", str(folder)]
    subprocess.run([*command, *target, *requirements], check=True)


def build() -> None:
    wheels = [
        option for wheel in sorted((WORK / "wheels").glob("*.whl")) for option in ("--piplite-wheels", str(wheel))
    ]
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--no-sourcemaps", "--lite-dir", str(WORK)]
    places = ["--contents", str(WORK / "files"), "--output-dir", str(OUTPUT)]
    subprocess.run([*command, *places, *wheels], cwd=WORK, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
