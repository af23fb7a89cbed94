"""Pictures of a trace. They read records only; matplotlib loads when one is drawn."""

from __future__ import annotations

from dosim.views.lanes import Bar, Lane, Lanes, read_lanes
from dosim.views.maps import world_map
from dosim.views.rooms import lives
from dosim.views.spacetimes import spacetime, spacetime_svg
from dosim.views.timelines import Panel, panels, timeline

__all__ = [
    "Bar",
    "Lane",
    "Lanes",
    "Panel",
    "lives",
    "map",
    "panels",
    "read_lanes",
    "spacetime",
    "spacetime_svg",
    "timeline",
    "world_map",
]

map = world_map  # noqa: A001 (the name of the method, sim.map)
