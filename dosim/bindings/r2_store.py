"""What an R2 bucket holds: objects, and multipart uploads under way. One place, strongly consistent.

Documented (developers.cloudflare.com/r2/reference/consistency): everybody sees a write, a delete or a completed upload
at once. Refusals, etags and the rules of multipart uploads: miniflare 4.20260426.0, workers/r2, observed.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b, md5, new
from typing import TYPE_CHECKING, Any, Final

from dosim.bindings.arguments import caller_place
from dosim.bindings.r2_records import Metadata, Page, Refusal, Stored, internal_error
from dosim.bindings.r2_uploads import UPLOAD_LIFE_US, Part, Upload, chosen_parts, multipart_etag, no_such_upload
from dosim.platform.facts import EPOCH_MS, MS_US
from dosim.runtime.services import Service
from dosim.web.interface import utf8

if TYPE_CHECKING:
    from dosim.network import City
    from dosim.runtime.world import World

#: Service times without the way there. *Assumed*: Cloudflare publishes no times of R2 by operation.
HEAD_US: Final = 10 * MS_US
READ_US: Final = 20 * MS_US
WRITE_US: Final = 40 * MS_US
DELETE_US: Final = 20 * MS_US
LIST_US: Final = 30 * MS_US
#: Documented: r2/platform/limits.
KEY_LIMIT_BYTES: Final = 1024
#: The custom metadata of one object. Documented: r2/platform/limits; the local runtime allows 2,048 (observed).
METADATA_LIMIT_BYTES: Final = 8192
LOCAL_METADATA_LIMIT_BYTES: Final = 2048
#: One upload, whole or part: 5 GiB less 5 MiB. Documented: r2/platform/limits.
UPLOAD_LIMIT_BYTES: Final = 5_363_466_240
#: Documented: r2/api/workers/workers-api-reference.
LIST_LIMIT: Final = 1000
#: With `include` a page is shorter. Documented without a number; observed.
LIST_LIMIT_WITH_METADATA: Final = 100

#: Names of the hash algorithms as the texts have them.
HASHES: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


class R2Store:
    """One bucket, by its name.

    place: where it is; None: near its first use (documented, r2/reference/data-location: near who creates it).
    jurisdiction: where it must be. Raises ValueError for an unknown one.
    """

    def __init__(self, world: World, name: str, *, place: City | None = None, jurisdiction: str | None = None) -> None:
        self._world = world
        self.name = name
        self._jurisdiction = jurisdiction
        if jurisdiction is not None and world.network is not None:
            world.network.place(world.network.default, None, jurisdiction)
        #: Whether this is the local runtime, whose R2 is miniflare's.
        self.is_local = world.platform.name == "workerd"
        self._service = Service(world, f"R2 {name}", place)
        self._objects: dict[str, Stored] = {}
        self._names: list[str] = []
        self._stored_bytes = 0
        self._uploads: dict[str, Upload] = {}
        self._drawn = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys, sorted: for whoever looks at the simulation from outside."""
        return tuple(self._names)

    def call(self, method: str, operation: Callable[[], Any], takes_us: int) -> Any:
        """Do an operation where the bucket is; what is returned can be awaited for its result."""
        network = self._world.network
        if network is not None and self._service.place is None:
            self._service.place = network.place(caller_place() or network.default, None, self._jurisdiction)
        return self._service.call(method, operation, takes_us=0 if self.is_local else takes_us)

    def __repr__(self) -> str:
        return f"<R2Store {self.name!r}: {len(self._names)} objects>"

    # -- objects

    def find(self, key: str) -> Stored | None:
        """The object with this key. Raises Refusal for a key that is too long."""
        self._check_key(key)
        return self._objects.get(key)

    def put(
        self,
        key: str,
        data: bytes,
        metadata: Metadata,
        expected: tuple[str, bytes] | None,
        holds: Callable[[Stored | None], bool],
    ) -> Stored | None:
        """Store an object, None if the condition does not hold. Raises Refusal for a checksum that does not match."""
        self._check_key(key)
        if len(data) > UPLOAD_LIMIT_BYTES:
            raise Refusal("Your proposed upload exceeds the maximum allowed object size.", 100100)
        self._check_metadata(metadata.custom)
        digest = _digest("md5", data)
        checksums = {"md5": digest}
        if expected is not None:
            name, given = expected
            checksums[name] = _checked_digest(name, given, data)
        if not holds(self._objects.get(key)):
            return None
        return self._store(key, data, digest.hex(), metadata, checksums)

    def remove(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are fine (recorded)."""
        names = list(keys)
        for key in names:
            self._check_key(key)
        for key in names:
            stored = self._objects.pop(key, None)
            if stored is not None:
                del self._names[bisect_left(self._names, key)]
                self._resized(-len(stored.data))

    def page(self, prefix: str, limit: int, after: str | None, delimiter: str) -> Page:
        """Up to `limit` objects and delimited prefixes together, in the order of their UTF-8 bytes."""
        objects: list[Stored] = []
        prefixes: list[str] = []
        last = ""
        for group, name in self._groups(prefix, after, delimiter):
            if len(objects) + len(prefixes) == limit and not (prefixes and group == prefixes[-1]):
                return Page(objects, prefixes, base64.b64encode(utf8(last)).decode())
            last = name
            if group is None:
                objects.append(self._objects[name])
            elif not prefixes or prefixes[-1] != group:
                prefixes.append(group)
        return Page(objects, prefixes, None)

    def _groups(self, prefix: str, after: str | None, delimiter: str) -> Iterator[tuple[str | None, str]]:
        """Each key with the delimited prefix that it is shown as, None if as itself."""
        start = bisect_left(self._names, prefix)
        if after is not None:
            start = max(start, bisect_right(self._names, after))
        for name in self._names[start:]:
            if not name.startswith(prefix):
                return
            at = name.find(delimiter, len(prefix)) if delimiter else -1
            yield (None if at < 0 else name[: at + len(delimiter)]), name

    def _store(self, key: str, data: bytes, etag: str, metadata: Metadata, checksums: Mapping[str, bytes]) -> Stored:
        before = self._objects.get(key)
        if before is None:
            insort(self._names, key)
        self._resized(len(data) - (0 if before is None else len(before.data)))
        metadata = replace(metadata, storage_class=self._storage_class(metadata.storage_class))
        now_ms = EPOCH_MS + self._world.loop.time_us() // 1000
        version = self._draw("version", 16).hex()
        stored = self._objects[key] = Stored(key, version, data, etag, now_ms, metadata, checksums)
        return stored

    def _resized(self, by_bytes: int) -> None:
        """Objects came, changed or went: a record for the bill. Parts of uploads under way are not counted."""
        self._stored_bytes += by_bytes
        now_us = self._world.loop.time_us()
        self._world.emit(now_us, "stored", self._service.label, 0, 0, (self._stored_bytes,))

    def _storage_class(self, asked: str) -> str:
        """Documented: Standard if nothing was said. The local runtime has none (observed)."""
        return "" if self.is_local else asked or "Standard"

    # -- multipart uploads

    def start_upload(self, key: str, metadata: Metadata) -> str:
        """Begin a multipart upload and return its id."""
        self._check_key(key)
        upload_id = self._token("upload")
        self._uploads[upload_id] = Upload(key, metadata, self._world.loop.time_us())
        return upload_id

    def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> str:
        """Store a part, in the place of an earlier one of this number, and return its etag."""
        self._check_key(key)
        upload = self._upload(key, upload_id)
        if upload is None or upload.over:
            raise no_such_upload(f"No upload of {key!r} with this id is under way: {self._why(upload)}")
        part = upload.parts[number] = Part(number, data, self._part_etag(data))
        return part.etag

    def complete(self, key: str, upload_id: str, chosen: list[tuple[int, str]]) -> Stored:
        """Make an object of the chosen parts, by number and etag."""
        self._check_key(key)
        upload = self._upload(key, upload_id)
        if upload is None:
            raise internal_error(f"No upload of {key!r} ever had this id.")
        if upload.over:
            raise no_such_upload(self._why(upload))
        parts = chosen_parts(upload, chosen)
        upload.over = True
        data = b"".join(part.data for part in parts)
        etag = multipart_etag([_digest("md5", part.data) for part in parts])
        upload.parts.clear()
        return self._store(key, data, etag, upload.metadata, {})

    def abort(self, key: str, upload_id: str) -> None:
        """Throw an upload away; one that is over is fine."""
        self._check_key(key)
        upload = self._upload(key, upload_id)
        if upload is None:
            raise internal_error(f"No upload of {key!r} ever had this id.")
        upload.over = True
        upload.parts.clear()

    def _part_etag(self, data: bytes) -> str:
        """Documented (r2/objects/multipart-objects): a part's MD5. The local runtime draws one (observed)."""
        return self._token("part") if self.is_local else _digest("md5", data).hex()

    def _upload(self, key: str, upload_id: str) -> Upload | None:
        upload = self._uploads.get(upload_id)
        if upload is None or upload.key != key:
            return None
        if not self.is_local and self._world.loop.time_us() - upload.started_us >= UPLOAD_LIFE_US:
            upload.over = True
            upload.parts.clear()
        return upload

    def _why(self, upload: Upload | None) -> str:
        if upload is None:
            return "the id is that of another key, or of none."
        return "It was completed or aborted, or is older than 7 days."

    # -- checks and draws

    def _check_key(self, key: str) -> None:
        length = len(utf8(key))
        if length > KEY_LIMIT_BYTES:
            note = f"The key has {length} bytes; a key may have {KEY_LIMIT_BYTES}."
            raise Refusal("The specified object name is not valid.", 10020, note)

    def _check_metadata(self, custom: Mapping[str, str]) -> None:
        limit = LOCAL_METADATA_LIMIT_BYTES if self.is_local else METADATA_LIMIT_BYTES
        length = sum(_header_length(name) + _header_length(value) for name, value in custom.items())
        if length > limit:
            note = f"customMetadata has {length} bytes; it may have {limit}."
            raise Refusal("Your metadata headers exceed the maximum allowed metadata size.", 10012, note)

    def _draw(self, what: str, size: int) -> bytes:
        """Random bytes that follow from the seed and the number of draws of this bucket, at most 64."""
        self._drawn += 1
        text = f"{self._world.seed}\0{self.name}\0{what}\0{self._drawn}"
        return blake2b(text.encode(), digest_size=size).digest()

    def _token(self, what: str) -> str:
        """An opaque id of 128 bytes, as the local runtime's (observed)."""
        data = self._draw(what, 64) + self._draw(what, 64)
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _digest(name: str, data: bytes) -> bytes:
    return md5(data, usedforsecurity=False).digest() if name == "md5" else new(name, data).digest()


def _checked_digest(name: str, given: bytes, data: bytes) -> bytes:
    found = _digest(name, data)
    if given == found:
        return found
    algorithm = HASHES[name]
    raise Refusal(
        f"The {algorithm} checksum you specified did not match what we received.\n"
        f"You provided a {algorithm} checksum with value: {given.hex()}\n"
        f"Actual {algorithm} was: {found.hex()}",
        10037,
    )


def _header_length(text: str) -> int:
    """Two bytes a character once one is beyond Latin-1 (miniflare, serialisedLength)."""
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return units * 2 if any(ord(c) >= 256 for c in text) else units


def cursor_key(cursor: str) -> str:
    """The key in a cursor; what is no cursor stands before all keys (observed)."""
    try:
        return base64.b64decode(cursor).decode("utf-8", "replace")
    except binascii.Error:
        return ""
