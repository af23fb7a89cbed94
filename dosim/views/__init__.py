"""Pictures of a trace. They read records only; matplotlib loads when one is drawn."""

from __future__ import annotations

from dosim.views.costs import Costs, costs, read_costs
from dosim.views.lanes import Bar, Lane, Lanes, Mark, read_lanes
from dosim.views.latencies import Latencies, latency, read_latencies
from dosim.views.live import costs_svg, latency_svg, queue_svg
from dosim.views.live_timelines import timeline_svg
from dosim.views.map_svgs import world_map_svg
from dosim.views.maps import world_map
from dosim.views.queues import Backlog, queue, read_backlog
from dosim.views.room_svgs import lives_svg
from dosim.views.rooms import lives
from dosim.views.scales import Limits
from dosim.views.spacetimes import spacetime, spacetime_svg
from dosim.views.timelines import Panel, panels, timeline

__all__ = [
    "Backlog",
    "Bar",
    "Costs",
    "Lane",
    "Lanes",
    "Latencies",
    "Limits",
    "Mark",
    "Panel",
    "costs",
    "costs_svg",
    "latency",
    "latency_svg",
    "lives",
    "lives_svg",
    "map",
    "panels",
    "queue",
    "queue_svg",
    "read_backlog",
    "read_costs",
    "read_lanes",
    "read_latencies",
    "spacetime",
    "spacetime_svg",
    "timeline",
    "timeline_svg",
    "world_map",
    "world_map_svg",
]

map = world_map  # noqa: A001 (the name of the method, sim.map)
