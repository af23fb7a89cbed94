"""The README's pictures: drawn by a command, from worlds that run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_pictures_of_the_readme_are_drawn_by_their_command(tmp_path: Path) -> None:
    """Every picture that the README shows, and no other, is written."""
    done = subprocess.run(
        [sys.executable, "docs/pictures.py", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    readme = (ROOT / "README.md").read_text("utf-8")

    assert (0, "") == (done.returncode, done.stderr)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in (ROOT / "docs").glob("*.png")}
    assert all(f"(docs/{file.name})" in readme for file in tmp_path.iterdir())
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in tmp_path.iterdir())
