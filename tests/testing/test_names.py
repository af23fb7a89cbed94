"""The names of `dosim.testing`, whoever has loaded what before."""

from __future__ import annotations

import subprocess
import sys

import dosim.testing

PROGRAM = """
from dosim.testing import ObjectMachine, simulated, explore, sweep, sometimes
import dosim.testing
kinds = {name: type(getattr(dosim.testing, name)).__name__ for name in dosim.testing.__all__}
print(callable(simulated), [name for name, kind in kinds.items() if kind == "module"])
"""


def test_a_name_is_what_it_says_after_others_were_loaded() -> None:
    """
    ObjectMachine loads the module of @simulated; no public name becomes a module by that.
    """
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert "True []\n" == told.stdout
    assert sorted(dosim.testing.__all__) == dir(dosim.testing)
