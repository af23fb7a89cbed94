"""Every number of the network model, with its unit, what kind of knowledge it is, and its source.

*documented*: published by the operator of the thing. *measured*: fitted to, or read from, measurements that the source
names. *assumed*: a plausible value nobody published; change it when you know better. `CONSTANTS` is the same list as
data, for the book, and a test holds both together.

The five fitted values (`PATH_SLACK`, `LAND_DETOUR`, `RED_SEA_DETOUR`, `HOP_US`, `END_US`) are one set for all links
and all pairs; no pair has a correction of its own. Fitted 20 times with one city's pairs left out, they predict the
pairs left out with a median error of 4 % and a 90th percentile of 12 %. They are fitted to 95th percentiles, so
predicted delays lie a little above the typical ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["measured", "documented", "assumed"]

#: Mean radius of the Earth, kilometres. Documented: IUGG, GRS 80.
EARTH_RADIUS_KM: Final = 6371.0088

#: Time light needs for one kilometre of fibre, one way, microseconds. Documented: group index 1.468 at 1550 nm
#: (Corning SMF-28 data sheet), 1.468 / 299,792.458 km/s.
FIBRE_US_PER_KM: Final = 4.9

#: Delay of a path over that of its fibre, no unit. Measured: fit to 184 Azure round trips of July 2026.
PATH_SLACK: Final = 1.06

#: Length of a land route over the great circle between its two cities, no unit. Measured: same fit. It lies between the
#: 1.3 of the shortest US conduits and the 2.1 of observed US paths (Bozkurt et al., "Dissecting Latency in the
#: Internet's Fiber Infrastructure", 2018).
LAND_DETOUR: Final = 1.6

#: Extra length of the trunks' part in the Red Sea, no unit. Measured: same fit. Since the cuts off Jeddah of September
#: 2025 traffic takes the remaining systems and longer ways (Microsoft's notice of 2025-09-06).
RED_SEA_DETOUR: Final = 1.5

#: Switching and queueing for each link of a path, one way, microseconds. Measured: same fit.
HOP_US: Final = 100

#: Both ends of a path together: metro fibre, data centre and host, one way, microseconds. Measured: same fit, which by
#: itself would take 3,000; rounded down, since the nearest measured pair is 14 ms apart and many cities are nearer.
END_US: Final = 2_500

#: Distance within which a place counts as part of a city's metro area, kilometres. Assumed.
METRO_KM: Final = 30.0

#: A place given by coordinates reaches the backbone in up to this many of the nearest cities. Assumed.
ACCESS_CITIES: Final = 3

#: None of those lies farther than this many times the nearest one's distance, no unit. Assumed.
ACCESS_SPREAD: Final = 1.5

#: One way between two machines of one colo, microseconds. Assumed.
SAME_COLO_US: Final = 300

#: A client's last mile to its city, one way, microseconds. Assumed: a fixed broadband line.
LAST_MILE_US: Final = 5_000

#: From arrival at the colo to the Worker: TLS, HTTP, choice of the server, microseconds. Assumed; the hop to the server
#: that has the Worker loaded adds about 1 ms or less (blog.cloudflare.com, "Eliminating Cold Starts 2", 2025-09-26).
EDGE_ROUTING_US: Final = 500

#: Start of a JavaScript Worker's isolate, microseconds. Documented: "under 5 milliseconds"
#: (blog.cloudflare.com, "Eliminating cold starts with Cloudflare Workers", 2020).
WORKER_COLD_START_US: Final = 5_000

#: Start of a Python Worker with packages from a memory snapshot, microseconds. Documented: mean about 1.0 s with
#: httpx, fastapi and pydantic (blog.cloudflare.com, "Python Workers redux", 2025-12-08).
PYTHON_COLD_START_US: Final = 1_000_000

#: First access to an object by name, in round trips from the colo to the farthest colo that hosts objects, no unit.
#: Assumed; documented is only that it "may require a round-the-world check", up to a few hundred milliseconds.
GLOBAL_LOOKUP_FACTOR: Final = 1.0

#: Jitter of one message is (floor + fraction × base delay) × x ** shape with x exponentially distributed, mean 1.
#: Floor, microseconds. Assumed.
JITTER_FLOOR_US: Final = 20.0

#: Fraction of the base delay, no unit. Assumed: a mean of 0.5 % and a 99th percentile of 4 %.
JITTER_FRACTION: Final = 0.004

#: Exponent, no unit: above 1 the tail is longer than exponential. Assumed.
JITTER_SHAPE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Constant:
    """One row of the table the book prints."""

    name: str
    value: float
    unit: str
    status: Status
    source: str


_FIT: Final = "fit to 184 Azure round trips (95th percentiles, 30 days to 2026-07-30), one value for all links"
_BLOG: Final = "blog.cloudflare.com"

CONSTANTS: Final[tuple[Constant, ...]] = (
    Constant("EARTH_RADIUS_KM", EARTH_RADIUS_KM, "km", "documented", "IUGG mean radius, GRS 80"),
    Constant("FIBRE_US_PER_KM", FIBRE_US_PER_KM, "µs/km", "documented", "Corning SMF-28: group index 1.468 at 1550 nm"),
    Constant("PATH_SLACK", PATH_SLACK, "ratio", "measured", _FIT),
    Constant("LAND_DETOUR", LAND_DETOUR, "ratio", "measured", _FIT),
    Constant("RED_SEA_DETOUR", RED_SEA_DETOUR, "ratio", "measured", _FIT),
    Constant("HOP_US", HOP_US, "µs", "measured", _FIT),
    Constant("END_US", END_US, "µs", "measured", _FIT),
    Constant("METRO_KM", METRO_KM, "km", "assumed", "a large city with its suburbs"),
    Constant("ACCESS_CITIES", ACCESS_CITIES, "cities", "assumed", "a provider connects to more than one exchange"),
    Constant("ACCESS_SPREAD", ACCESS_SPREAD, "ratio", "assumed", "nobody connects far past the nearest exchange"),
    Constant("SAME_COLO_US", SAME_COLO_US, "µs", "assumed", "a few switches and two hosts"),
    Constant("LAST_MILE_US", LAST_MILE_US, "µs", "assumed", "a fixed broadband line"),
    Constant("EDGE_ROUTING_US", EDGE_ROUTING_US, "µs", "assumed", "TLS, HTTP and the choice of the server"),
    Constant(
        "WORKER_COLD_START_US",
        WORKER_COLD_START_US,
        "µs",
        "documented",
        f"{_BLOG}, Eliminating cold starts with Cloudflare Workers (2020): under 5 ms",
    ),
    Constant(
        "PYTHON_COLD_START_US",
        PYTHON_COLD_START_US,
        "µs",
        "documented",
        f"{_BLOG}, Python Workers redux (2025-12-08): mean about 1.0 s with httpx, fastapi and pydantic",
    ),
    Constant(
        "GLOBAL_LOOKUP_FACTOR",
        GLOBAL_LOOKUP_FACTOR,
        "round trips",
        "assumed",
        "documentation: a round-the-world check, up to a few hundred milliseconds",
    ),
    Constant("JITTER_FLOOR_US", JITTER_FLOOR_US, "µs", "assumed", "queues of an idle network"),
    Constant("JITTER_FRACTION", JITTER_FRACTION, "ratio", "assumed", "long paths cross more queues"),
    Constant("JITTER_SHAPE", JITTER_SHAPE, "exponent", "assumed", "long-tailed, as packet delays are"),
)
