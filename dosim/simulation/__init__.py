"""`Simulation`: the closed world that is run, and what one holds of it: clients, objects, the network."""

from __future__ import annotations

from dosim.simulation.clients import Client, ClientCall
from dosim.simulation.errors import Deadlock, ForkError, PortabilityError, PortabilityWarning
from dosim.simulation.simulation import Simulation

__all__ = ["Client", "ClientCall", "Deadlock", "ForkError", "PortabilityError", "PortabilityWarning", "Simulation"]
