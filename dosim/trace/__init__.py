"""The trace: every record of a run, what the kinds mean, and how a request's life is partitioned into segments."""

from __future__ import annotations

from dosim.trace.kinds import KINDS
from dosim.trace.records import Record, Trace
from dosim.trace.segments import Segment, partition, segments

__all__ = ["KINDS", "Record", "Segment", "Trace", "partition", "segments"]
