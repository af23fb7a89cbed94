"""What R2 gives back: an object's metadata, with its body after a get.

Two forms, as with workers-runtime-sdk 1.9.5: `head`, `get` and `put` give a wrapped object, whose attributes are
converted (`uploaded` is a datetime, `httpMetadata` a JsDict); in a listing the objects are JavaScript's own, and so
are their attributes (recorded: `uploaded` is a raw Date).
"""

from __future__ import annotations

import builtins
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from dosim.bindings.r2_options import HTTP_FIELDS
from dosim.bindings.r2_store import HASHES
from dosim.runtime.kv_arguments import parameter_error
from dosim.web.body import JsBody, JsReadableStream
from dosim.web.buffers import JsArrayBuffer
from dosim.web.dates import JsDate
from dosim.web.errors import noted, type_error
from dosim.web.forms import JsBlob
from dosim.web.headers import JsHeaders
from dosim.web.interface import Constructor
from dosim.web.proxies import JsObject
from dosim.web.values import clone

if TYPE_CHECKING:
    from dosim.bindings.r2_records import Stored
    from dosim.runtime.world import World

Part = tuple[int, int]


class R2Checksums:
    """The digests of an object: md5, sha1, sha256, sha384, sha512, None for those that it has not."""

    md5: Any
    sha1: Any
    sha256: Any
    sha384: Any
    sha512: Any

    def __init__(self, digests: Mapping[str, bytes], *, raw: bool) -> None:
        self._digests = digests
        self._raw = raw
        for name in HASHES:
            buffer = JsArrayBuffer(digests[name]) if name in digests else None
            setattr(self, name, buffer if raw else clone(buffer))

    def toJSON(self) -> Any:
        """Those that there are, as hex digits."""
        found = JsObject({name: self._digests[name].hex() for name in HASHES if name in self._digests})
        return found if self._raw else clone(found)


class R2Object:
    """An object's metadata: key, version, size, etag, httpEtag, uploaded, httpMetadata, customMetadata, range, ..."""

    raw: ClassVar[bool] = False

    def __init__(
        self,
        stored: Stored,
        *,
        part: Part | None = None,
        http: bool = True,
        custom: bool = True,
    ) -> None:
        """`part`: offset and length that were read; `http`, `custom`: whether this answer has that metadata."""
        self._stored = stored
        self._http = http
        metadata = stored.metadata
        self.key = stored.key
        self.version = stored.version
        self.size = stored.size
        self.etag = stored.etag
        self.httpEtag = f'"{stored.etag}"'
        self.uploaded = self._given(JsDate(stored.uploaded_ms))
        self.httpMetadata = self._given(_http_object(metadata.http)) if http else None
        self.customMetadata = self._given(JsObject(dict(metadata.custom))) if custom else None
        self.range = None if part is None else self._given(JsObject({"offset": part[0], "length": part[1]}))
        self.checksums = R2Checksums(stored.checksums, raw=self.raw)
        self.storageClass = metadata.storage_class
        self.ssecKeyMd5 = None

    def writeHttpMetadata(self, headers: Any = None) -> None:
        """Set the headers that `httpMetadata` stands for. Raises TypeError for anything but a `js.Headers`."""
        if not isinstance(headers, JsHeaders):
            error = parameter_error("writeHttpMetadata", 1, "Headers", "HeadResult")
            raise noted(error, "Pass headers = js.Headers.new(): the headers of Python's Response are others.")
        if not self._http:
            raise type_error(
                f"HTTP metadata unknown for key `{self.key}`. Did you forget to add 'httpMetadata' to `include` when"
                " listing?"
            )
        stored = self._stored.metadata.http
        for field, header in HTTP_FIELDS.items():
            if field in stored:
                headers.set(header, _expires(stored[field]) if field == "cacheExpiry" else stored[field])

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r}: {self.size} bytes>"

    def _given(self, value: Any) -> Any:
        return value if self.raw else clone(value)


class R2ListedObject(R2Object):
    """An object in a listing: JavaScript's own, with JavaScript's values as attributes."""

    raw: ClassVar[bool] = True
    constructor = Constructor("HeadResult")


class R2ObjectBody(R2Object):
    """An object with its bytes, which can be read once. As in the SDK `bodyUsed` stays what it was when first read."""

    def __init__(self, world: World, stored: Stored, part: Part) -> None:
        super().__init__(stored, part=part)
        offset, length = part
        self._world = world
        self._content = _Content(stored.data[offset : offset + length])

    @property
    def body(self) -> Any:
        """The content as a ReadableStream, to hand on."""
        return self._content.body

    @cached_property
    def bodyUsed(self) -> bool:
        return self._content.bodyUsed

    def text(self) -> Coroutine[Any, Any, str]:
        """The content as text. Raises TypeError for a second read."""
        return self._content.text()

    def json(self) -> Coroutine[Any, Any, Any]:
        """The content parsed. Raises SyntaxError for what is no JSON."""
        return _converted(self._content.json())

    def arrayBuffer(self) -> Coroutine[Any, Any, memoryview]:
        """The content as a memoryview."""
        return _converted(self._content.arrayBuffer())

    def bytes(self) -> Coroutine[Any, Any, memoryview]:
        """The content as a memoryview."""
        return _converted(self._content.bytes())

    def blob(self) -> Coroutine[Any, Any, Any]:
        """The content as a `workers.Blob` of the object's contentType."""
        return self._blob(self._content.arrayBuffer())

    async def _blob(self, reading: Coroutine[Any, Any, JsArrayBuffer]) -> Any:
        content_type = self._stored.metadata.http.get("contentType", "")
        return self._world.wrap(JsBlob((await reading).to_bytes(), content_type))


class _Content(JsBody):
    """The body of an object, read as any other."""

    __slots__ = ()

    def __init__(self, data: builtins.bytes) -> None:
        self._headers = None
        self._stream = JsReadableStream(data)
        self._content_type = None
        self._arrived = True


async def _converted(reading: Coroutine[Any, Any, Any]) -> Any:
    return clone(await reading)


def _http_object(http: Mapping[str, Any]) -> JsObject:
    found = {field: http[field] for field in HTTP_FIELDS if field in http}
    if "cacheExpiry" in found:
        found["cacheExpiry"] = JsDate(found["cacheExpiry"])
    return JsObject(found)


def _expires(time_ms: int) -> str:
    return format_datetime(datetime.fromtimestamp(time_ms // 1000, UTC), usegmt=True)
