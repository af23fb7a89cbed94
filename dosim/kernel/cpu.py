"""`dosim.cpu`: CPU time, which nothing can interleave with."""

from __future__ import annotations

from asyncio import events
from typing import Any

from dosim.kernel.durations import duration_us
from dosim.kernel.loop import SCOPE, Loop


def cpu(duration: Any) -> None:
    """Use CPU for `duration` ("5s", "2ms", a timedelta) in the turn that runs.

    Everything the turn emits afterwards (calls, timers, clock readings, its own end) is stamped that much later, and
    the object's next turn starts no earlier. Raises RuntimeError outside simulated code.
    """
    loop = events._get_running_loop()
    if not isinstance(loop, Loop) or SCOPE.get() is None:
        raise RuntimeError("dosim.cpu() models CPU work of a Worker or a Durable Object: call it in their code.")
    loop.cpu_us += duration_us(duration, "duration")
