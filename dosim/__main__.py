"""`python -m dosim`: the command line."""

from __future__ import annotations

import sys

from dosim.cli import main

if __name__ == "__main__":
    sys.exit(main())
