"""The trace: every record of a run, what the kinds mean, and what can be read from it alone.

`segments` partitions a request's life, `messages` are what travelled, `lives` the states of every object.
"""

from __future__ import annotations

from dosim.trace.kinds import KINDS
from dosim.trace.lives import Life, Stretch, lives
from dosim.trace.messages import Message, messages
from dosim.trace.records import Record, Trace
from dosim.trace.segments import Segment, partition, segments

__all__ = [
    "KINDS",
    "Life",
    "Message",
    "Record",
    "Segment",
    "Stretch",
    "Trace",
    "lives",
    "messages",
    "partition",
    "segments",
]
