"""What a notebook adds: explorers, which run a simulation again and draw it again when a slider moves."""

from __future__ import annotations

from dosim.notebook.explorers import (
    alarm_retries,
    explorer,
    hibernation_and_the_bill,
    lost_update,
    placement,
    saturation,
    ten_by_five,
)

__all__ = [
    "alarm_retries",
    "explorer",
    "hibernation_and_the_bill",
    "lost_update",
    "placement",
    "saturation",
    "ten_by_five",
]
