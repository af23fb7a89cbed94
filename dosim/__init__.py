"""dosim: a deterministic simulator of Cloudflare Durable Objects, to understand them and to test code written for them.

    from dosim import Simulation
    from dosim.workers import DurableObject, WorkerEntrypoint, Response

Importing this package loads next to nothing; the rest loads when it is used.

PYTEST_DONT_REWRITE (pytest reads this word here: without it, it would warn wherever dosim is imported before pytest.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dosim.kernel.cpu import cpu
    from dosim.network import Network, UnknownCity
    from dosim.project import ProjectError
    from dosim.simulation import Deadlock, ForkError, PortabilityError, PortabilityWarning, Simulation
    from dosim.trace import Trace

__version__ = "0.1.0"
__all__ = [
    "Deadlock",
    "ForkError",
    "Network",
    "PortabilityError",
    "PortabilityWarning",
    "ProjectError",
    "Simulation",
    "Trace",
    "UnknownCity",
    "__version__",
    "cpu",
]

_HOME = {
    "Deadlock": "dosim.simulation",
    "ForkError": "dosim.simulation",
    "Network": "dosim.network",
    "PortabilityError": "dosim.simulation",
    "PortabilityWarning": "dosim.simulation",
    "ProjectError": "dosim.project",
    "Simulation": "dosim.simulation",
    "Trace": "dosim.trace",
    "UnknownCity": "dosim.network",
    "cpu": "dosim.kernel.cpu",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dosim' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext dosim`: `from workers import ...` in cells, and `%%scenario`; see `dosim.notebook.magics`."""
    from dosim.notebook.magics import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext dosim`: takes both away again."""
    from dosim.notebook.magics import unload

    unload(ipython)


def __dir__() -> list[str]:
    return sorted(__all__)
