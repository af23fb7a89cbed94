"""Explorers: somebody moves a knob, a simulation runs again, and its picture changes in place.

`explorer` makes one of any function that runs a simulation. The others are lessons: each asks what will happen before
it shows it, and keeps one run as a ghost to compare with. Without ipywidgets they show their first run.
"""

from __future__ import annotations

from dosim.notebook.explorers.alarms import alarm_retries
from dosim.notebook.explorers.free import explorer
from dosim.notebook.explorers.hibernation import hibernation_and_the_bill
from dosim.notebook.explorers.lost_update import lost_update
from dosim.notebook.explorers.placement import placement
from dosim.notebook.explorers.saturation import saturation
from dosim.notebook.explorers.ten_by_five import ten_by_five

__all__ = [
    "alarm_retries",
    "explorer",
    "hibernation_and_the_bill",
    "lost_update",
    "placement",
    "saturation",
    "ten_by_five",
]
