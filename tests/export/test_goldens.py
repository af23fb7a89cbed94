"""Every export of a small run, byte for byte.

After a change on purpose, write the files anew from the repository's root, and read the difference:

    PYTHONPATH=. python -c "from tests.export.world import write; write('tests/export/golden')"
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dosim.export import FORMATS, save
from tests.export.world import world

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", FORMATS)
def test_exports_are_as_they_were(name: str, tmp_path: Path) -> None:
    """
    Two requests at once, a lost answer, an alarm and a crash give the same bytes as when somebody last read them.
    """
    file = f"counter{FORMATS[name]}"
    save(world(), tmp_path / file)

    assert (GOLDEN / file).read_text("utf-8") == (tmp_path / file).read_text("utf-8")


def test_exports_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """
    Two processes in which strings hash differently write the same bytes.
    """
    program = "import sys; from tests.export.world import write; write(sys.argv[1])"
    for seed in ("0", "4242"):
        (tmp_path / seed).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", program, str(tmp_path / seed)], check=True, env=environment, cwd=ROOT)
    first, second = ({f.name: f.read_bytes() for f in (tmp_path / seed).iterdir()} for seed in ("0", "4242"))

    assert len(FORMATS) == len(first)
    assert first == second
