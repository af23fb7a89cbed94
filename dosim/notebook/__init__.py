"""What a notebook adds: explorers, which run a simulation again and draw it again when a slider moves."""

from __future__ import annotations

from dosim.notebook.explorers import explorer

__all__ = ["explorer"]
