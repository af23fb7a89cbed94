"""What an R2 bucket keeps and answers: an object, its metadata, a page of a listing, a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class Refusal(Exception):
    """What the server answers instead of a result: a text, a number, and what dosim adds."""

    def __init__(self, text: str, code: int, note: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.note = note


def internal_error(note: str) -> Refusal:
    """The refusal of what the server did not expect."""
    return Refusal("We encountered an internal error. Please try again.", 10001, note)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is stored besides the bytes. `http`: fields in camelCase, `cacheExpiry` in milliseconds since 1970."""

    http: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """One object in a bucket. `checksums`: digests by the name of the option that gave them."""

    key: str
    version: str
    data: bytes
    etag: str
    uploaded_ms: int
    metadata: Metadata
    checksums: Mapping[str, bytes]

    @property
    def size(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    objects: list[Stored]
    prefixes: list[str]
    cursor: str | None
