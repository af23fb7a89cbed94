"""What the ASGI and WSGI adapters share: their options, and the rule of bodies that must be empty.

Source: workers-runtime-sdk 1.9.5, `workers.gateway`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from dosim.workers.http import Request

EncodeBody = Literal["automatic", "manual"]
#: Statuses whose body a server leaves out.
NULL_BODY_STATUSES = frozenset({101, 103, 204, 205, 304})


@dataclass(frozen=True, kw_only=True)
class BaseOptions:
    """`encode_body`: "manual" when the application has compressed the body itself; dosim compresses none anyway.

    Raises ValueError for another word.
    """

    encode_body: EncodeBody = "automatic"

    def __post_init__(self) -> None:
        if self.encode_body not in get_args(EncodeBody):
            raise ValueError(f"encode_body must be one of {get_args(EncodeBody)}, got {self.encode_body!r}")


def header_pairs(request: Any) -> list[tuple[str, str]]:
    """The headers of a `workers.Request` or a `js.Request`."""
    return list(request.headers.items() if isinstance(request, Request) else request.headers)


async def whole_body(request: Any) -> bytes:
    """The bytes of a request's body, which reading uses up; none is no I/O."""
    if not request.body:
        return b""
    return b"".join([part.to_bytes() async for part in request.body])
