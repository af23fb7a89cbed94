"""Multipart uploads of an R2 bucket: which parts make an object.

Rules: developers.cloudflare.com/r2/objects/multipart-objects; refusals and their order: miniflare 4.20260426.0,
workers/r2, observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import md5
from typing import Final

from dosim.bindings.r2_records import Metadata, Refusal, internal_error
from dosim.platform.facts import MINUTE_US

#: Every part but the last. Documented: r2/objects/multipart-objects.
PART_MIN_BYTES: Final = 5 * 1024 * 1024
#: An upload that nobody completes is aborted. Documented: r2/api/workers/workers-api-reference (7 days).
UPLOAD_LIFE_US: Final = 7 * 24 * 60 * MINUTE_US


def no_such_upload(note: str) -> Refusal:
    """The refusal of what is over, or never was."""
    return Refusal("The specified multipart upload does not exist.", 10024, note)


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded part."""

    number: int
    data: bytes
    etag: str


@dataclass(slots=True)
class Upload:
    """One multipart upload; `over`: completed or aborted."""

    key: str
    metadata: Metadata
    started_us: int
    parts: dict[int, Part] = field(default_factory=dict)
    over: bool = False


def chosen_parts(upload: Upload, chosen: list[tuple[int, str]]) -> list[Part]:
    """The parts of an object in order. Raises Refusal for wrong ones and for sizes that the platform does not take."""
    if len({number for number, _ in chosen}) < len(chosen):
        raise internal_error("A part is named twice.")
    parts = []
    for number, etag in chosen:
        part = upload.parts.get(number)
        if part is None or part.etag != etag:
            note = f"Part {number} was not uploaded, or not with this etag: pass on what uploadPart gave."
            raise Refusal("One or more of the specified parts could not be found.", 10025, note)
        parts.append(part)
    for part in parts[:-1]:
        if len(part.data) < PART_MIN_BYTES:
            note = f"Part {part.number} has {len(part.data)} bytes; all but the last need {PART_MIN_BYTES}."
            raise Refusal("Your proposed upload is smaller than the minimum allowed object size.", 10011, note)
    parts.sort(key=lambda part: part.number)
    sizes = [len(part.data) for part in parts]
    if any(size != sizes[0] or size < PART_MIN_BYTES for size in sizes[:-1]) or sizes[-1:] > sizes[:1]:
        note = f"All parts but the last must be of one size, and the last not larger; these have {sizes} bytes."
        raise Refusal("There was a problem with the multipart upload.", 10048, note)
    return parts


def multipart_etag(digests: Sequence[bytes]) -> str:
    """The etag of an object made of parts with these MD5 digests. Documented: r2/objects/multipart-objects."""
    return f"{md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"
