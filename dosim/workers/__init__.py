"""What a Python Worker imports: `from workers import DurableObject, Response, WorkerEntrypoint, ...`.

The names and behaviour of Cloudflare's workers-runtime-sdk 1.9.5; bindings and products that dosim does not have yet
are not here.
"""

from __future__ import annotations

from typing import Any

from dosim.web.values import JsDict
from dosim.workers.entrypoints import (
    DurableObject,
    WorkerEntrypoint,
    env,
    fetch,
    handler,
    import_from_javascript,
    patch_env,
    python_from_rpc,
    python_to_rpc,
    wait_until,
)
from dosim.workers.forms import Blob, BlobEnding, BlobValue, File, FormData, FormDataValue
from dosim.workers.http import FetchResponse, Request, Response

#: The SDK's types of a body, of headers, of a context: for annotations only.
Body = JSBody = Headers = Context = FetchKwargs = RequestInitCfProperties = Any
waitUntil = wait_until

__all__ = [
    "Blob",
    "BlobEnding",
    "BlobValue",
    "Body",
    "Context",
    "DurableObject",
    "FetchKwargs",
    "FetchResponse",
    "File",
    "FormData",
    "FormDataValue",
    "Headers",
    "JSBody",
    "JsDict",
    "Request",
    "RequestInitCfProperties",
    "Response",
    "WorkerEntrypoint",
    "env",
    "fetch",
    "handler",
    "import_from_javascript",
    "patch_env",
    "python_from_rpc",
    "python_to_rpc",
    "waitUntil",
    "wait_until",
]


def __getattr__(name: str) -> Any:
    if name == "WorkflowEntrypoint":
        raise AttributeError("workers.WorkflowEntrypoint: dosim simulates Durable Objects and Workers, not Workflows.")
    raise AttributeError(f"module 'workers' has no attribute {name!r}")
