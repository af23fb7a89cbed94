"""`workers.rpc`: the value classes of RPC."""

from __future__ import annotations

from dosim.web.values import JsDict
from dosim.workers.entrypoints import python_from_rpc, python_to_rpc

__all__ = ["JsDict", "python_from_rpc", "python_to_rpc"]
