"""Logs for ShiViz, which draws who can have heard of what: a vector clock and a text for each event.

Load the file at bestchai.bitbucket.io/shiviz with the parser's expression `PARSER` and no delimiter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from dosim.export.sources import exported
from dosim.trace import Trace
from dosim.trace.clocks import events, vector_clocks

#: The regular expression that ShiViz reads these files with.
PARSER: Final = r"(?<host>\S*) (?<clock>{.*})\n(?<event>.*)"

#: Entries of clocks in one log: each event may have one for each host. ShiViz draws far fewer.
MOST_ENTRIES: Final = 5_000_000


def to_shiviz(source: object) -> str:
    """The kept records of a simulation or a trace as a ShiViz log: `HOST {"HOST":1}`, then what happened, in turn.

    A host's name has no space there: "Counter('my room')" is "Counter('my_room')". The format has no place to tell what
    retention left out. Raises TypeError for another source, ValueError for a trace that keeps nothing and for one whose
    clocks would have more than `MOST_ENTRIES` entries.
    """
    return "".join(shiviz_text(source))


def shiviz_text(source: object) -> Iterator[str]:
    """The same, one event a piece."""
    trace, hosts = exported(source), dict[str, str]()
    _check_size(trace)
    for event in vector_clocks(trace):
        for name in (event.host, *event.clock):
            if name not in hosts:
                hosts[name] = _host(name, hosts)
        clock = json.dumps({hosts[host]: count for host, count in event.clock.items()}, ensure_ascii=False)
        yield f"{hosts[event.host]} {clock}\n{' '.join(event.text.split())}\n"


def _check_size(trace: Trace) -> None:
    """Refuse what would fill memory and what nobody can look at."""
    told = [event.host for event in events(trace)] if len(trace) > MOST_ENTRIES // 1000 else []
    hosts = len(set(told))
    if len(told) * hosts > MOST_ENTRIES:
        raise ValueError(
            f"{len(told):,} events of {hosts:,} hosts are too many for a ShiViz log, where every event has a clock of"
            " all hosts: keep the end of the run only, with Simulation(..., retention='last=1000')."
        )


def _host(name: str, others: Mapping[str, str]) -> str:
    """A name without spaces that no other host has."""
    plain = re.sub(r"\s+", "_", name)
    taken = set(others.values())
    return next(one for one in (plain, *(f"{plain}_{n}" for n in range(2, len(taken) + 3))) if one not in taken)
