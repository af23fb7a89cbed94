"""Conditional and ranged requests to an R2 bucket: `onlyIf` and `range`.

Source: workerd src/workerd/api/r2-bucket.c++ @6552d999c (2026-08-22) for what is refused in the caller; miniflare
4.20260426.0 (workers/r2, shared/range) for what holds and what is read; both observed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from dosim.bindings.arguments import date_ms, field_error, js_headers, number, struct_field
from dosim.bindings.r2_records import Refusal, Stored
from dosim.web.errors import JsException, noted, type_error
from dosim.web.headers import JsHeaders
from dosim.web.values import number_text

if TYPE_CHECKING:
    from dosim.runtime.world import World

_BYTES: Final = re.compile(r"^ *bytes *=", re.IGNORECASE)
_RANGE: Final = re.compile(r"^ *(\d+)? *- *(\d+)? *$")
_COMMA: Final = "Comma was expected to separate etags. Encountered a "
_WOULD: Final = "This would otherwise indicate the start of a new"
_NO_COMMA: Final = {
    "*": f"{_COMMA}wildcard character '*' instead.",
    "W": f"{_COMMA}weak quotation character 'W' instead. {_WOULD} weak etag.",
    '"': f"{_COMMA}double quote character '\"' instead. {_WOULD} strong etag.",
}


# -- conditions


@dataclass(frozen=True, slots=True)
class Etag:
    """An etag to compare with; "*" stands for any."""

    value: str
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """`onlyIf`: what must hold of the object that is there. Times in milliseconds since 1970."""

    matches: Sequence[Etag] | None = None
    differs: Sequence[Etag] | None = None
    before_ms: int | None = None
    after_ms: int | None = None
    whole_seconds: bool = False

    def holds(self, stored: Stored | None) -> bool:
        """RFC 9110, section 13: an etag that decides makes the time of no account."""
        if stored is None:
            return self.matches is None and self.after_ms is None
        matches = self.matches is None or any(_is(etag, stored, weakly=False) for etag in self.matches)
        differs = self.differs is None or not any(_is(etag, stored, weakly=True) for etag in self.differs)
        uploaded_ms = self._cut(stored.uploaded_ms)
        newer = self.after_ms is None or self._cut(self.after_ms) < uploaded_ms
        older = self.before_ms is None or uploaded_ms < self._cut(self.before_ms)
        newer = newer or (self.differs is not None and differs)
        older = older or (self.matches is not None and matches)
        return matches and differs and newer and older

    def _cut(self, time_ms: int) -> int:
        return time_ms // 1000 * 1000 if self.whole_seconds else time_ms


def _is(etag: Etag, stored: Stored, *, weakly: bool) -> bool:
    return etag.value == "*" or (etag.value == stored.etag and (weakly or not etag.weak))


def condition_of(world: World, method: str, value: Any, options: str) -> Condition:
    """The condition in `onlyIf`: an object, or headers of a request. Raises the platform's errors."""
    value = js_headers(world, method, "onlyIf", value)
    if isinstance(value, JsHeaders):
        return _condition_of_headers(value)
    given = struct_field(value, "onlyIf", options, "Conditional or Headers")
    return Condition(
        _etag_option(given, "etagMatches"),
        _etag_option(given, "etagDoesNotMatch"),
        date_ms(given["uploadedBefore"], "uploadedBefore", "Conditional") if "uploadedBefore" in given else None,
        date_ms(given["uploadedAfter"], "uploadedAfter", "Conditional") if "uploadedAfter" in given else None,
        bool(given.get("secondsGranularity")),
    )


def _etag_option(given: dict[str, Any], name: str) -> list[Etag] | None:
    if name not in given:
        return None
    value = given[name]
    if not isinstance(value, str):
        raise field_error(name, "Conditional", "string")
    if value.startswith('"') and value.endswith('"'):
        error = type_error(f"Conditional ETag should not be wrapped in quotes ({value}).")
        raise noted(error, "Pass object.etag; object.httpEtag, with quotes, is for HTTP headers.")
    return [Etag(value)]


def _condition_of_headers(headers: JsHeaders) -> Condition:
    return Condition(
        _etag_header(headers, "if-match"),
        _etag_header(headers, "if-none-match"),
        date_header(headers, "if-unmodified-since"),
        date_header(headers, "if-modified-since"),
        whole_seconds=True,
    )


def _etag_header(headers: JsHeaders, name: str) -> list[Etag] | None:
    text = headers.find(name)
    if text is None:
        return None
    etags = _etags(text)
    if not etags:
        raise JsException(f"Invalid ETag in {name} header")
    return etags


def _etags(text: str) -> list[Etag]:
    """The etags of a header; reading stops where none begins. Raises the platform's Errors."""
    found: list[Etag] = []
    separated = True
    rest = text.lstrip(" \t")
    while rest[:1] in (",", "*", "W", '"') and rest:
        start = rest[0]
        if start == ",":
            separated, rest = True, rest[1:].lstrip(" \t")
            continue
        if not separated:
            raise JsException(_NO_COMMA[start])
        if start == "*":
            return [Etag("*")]
        if start == "W" and not (rest.startswith('W/"')):
            raise JsException("Weak etags must start with W/ and their value must be quoted")
        value, quote, rest = rest[3 if start == "W" else 1 :].partition('"')
        if not quote:
            raise JsException("Unclosed double quote for Etag")
        found.append(Etag(value, weak=start == "W"))
        separated, rest = False, rest.lstrip(" \t")
    return found


def date_header(headers: JsHeaders, name: str) -> int | None:
    """A date in milliseconds; what is no date is 1970."""
    text = headers.find(name)
    if text is None:
        return None
    try:
        return round(parsedate_to_datetime(text).timestamp() * 1000)
    except ValueError:
        return 0


# -- ranges


@dataclass(frozen=True, slots=True)
class Range:
    """Which bytes to read: offset and length, or a suffix, or a Range header."""

    offset: int | None = None
    length: int | None = None
    suffix: int | None = None
    header: str | None = None

    def within(self, size: int) -> tuple[int, int]:
        """Offset and length in an object of this size. Raises Refusal when no byte of it is meant."""
        if self.header is not None:
            return _header_range(self.header, size)
        offset, length = self.offset, self.length
        if offset is None and length is None and self.suffix is None:
            return 0, size
        if self.suffix is not None:
            length = min(self.suffix, size)
            offset = size - length
        offset = offset or 0
        length = size - offset if length is None else length
        if offset > size or length <= 0:
            note = f"offset={self.offset}, length={self.length}, suffix={self.suffix}: the object has {size} bytes."
            raise Refusal("The requested range is not satisfiable", 10039, note)
        return offset, min(length, size - offset)


def range_of(world: World, value: Any) -> Range:
    """The range of a get: an object, or headers of a request. Raises RangeError and TypeError."""
    value = js_headers(world, "get", "range", value)
    if isinstance(value, JsHeaders):
        return Range(header=value.find("range"))
    given = struct_field(value, "range", "GetOptions", "Range or Headers")
    if "suffix" in given and ("offset" in given or "length" in given):
        raise type_error(f"Suffix is incompatible with {'offset' if 'offset' in given else 'length'}.")
    return Range(
        _whole(given, "offset", "Invalid range. Starting offset"),
        _whole(given, "length", "Invalid range. Length"),
        _whole(given, "suffix", "Invalid suffix. Suffix"),
    )


def _whole(given: dict[str, Any], name: str, said: str) -> int | None:
    if name not in given:
        return None
    value = number(given[name])
    if not value >= 0:
        raise JsException(f"{said} ({number_text(value)}) must be greater than or equal to 0.", "RangeError")
    if not value.is_integer():
        said = said.replace("Invalid suffix", "Invalid range")
        raise JsException(f"{said} ({number_text(value)}) must be an integer, not floating point.", "RangeError")
    return int(value)


def _header_range(header: str, size: int) -> tuple[int, int]:
    """The one range of a header; anything else, or several, means the whole object."""
    whole = (0, size)
    start = _BYTES.match(header)
    match = _RANGE.match(header[start.end() :]) if start else None
    if match is None or (match[1] is None and match[2] is None):
        return whole
    if match[1] is None:
        suffix = int(match[2])
        return (size - suffix, suffix) if 0 < suffix < size else whole
    first = int(match[1])
    last = size - 1 if match[2] is None else int(match[2])
    if first > last or first >= size:
        return whole
    return first, min(last, size - 1) - first + 1
