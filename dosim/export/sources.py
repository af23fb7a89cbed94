"""What can be exported: the trace of a simulation, or a trace, that has kept something."""

from __future__ import annotations

from dosim.trace import Trace
from dosim.views.figures import trace_of
from dosim.views.scales import kept_note


def exported(source: object) -> Trace:
    """The trace of a simulation, or the trace itself.

    Raises TypeError for anything else, ValueError for a trace that keeps no records: a file of it would say nothing.
    """
    trace = trace_of(source)
    kept_note(trace)
    return trace
