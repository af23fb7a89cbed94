"""Pictures of a trace. They read records only; matplotlib loads when one is drawn."""

from __future__ import annotations

from dosim.views.lanes import Bar, Lane, Lanes, read_lanes
from dosim.views.timelines import Panel, panels, timeline

__all__ = ["Bar", "Lane", "Lanes", "Panel", "panels", "read_lanes", "timeline"]
