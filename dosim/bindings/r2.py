"""R2 buckets as Python Workers have them: `env.NAME`.

Source: developers.cloudflare.com/r2/api/workers/workers-api-reference and workerd src/workerd/api/r2-bucket.c++;
results as workers-runtime-sdk 1.9.5 converts them (`_BindingWrapper`). Encryption with a customer's key (`ssecKey`)
is accepted and has no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dosim.bindings.arguments import argument, sent, text
from dosim.bindings.r2_options import (
    INTERFACE,
    UPLOAD_INTERFACE,
    ListOptions,
    get_options,
    list_options,
    multipart_options,
    page_limit,
    part_number,
    put_options,
    uploaded_parts,
    value_bytes,
)
from dosim.bindings.r2_records import Metadata, Refusal, Stored
from dosim.bindings.r2_results import R2ListedObject, R2Object, R2ObjectBody
from dosim.bindings.r2_store import DELETE_US, HEAD_US, LIST_US, READ_US, WRITE_US, R2Store
from dosim.runtime.promises import rejected
from dosim.web.errors import JsException, noted
from dosim.web.interface import Constructor
from dosim.web.values import JsDict, js_text

if TYPE_CHECKING:
    from dosim.runtime.world import World

__all__ = ["R2Bucket", "R2MultipartUpload", "R2Store"]

Operation = Callable[[tuple[Any, ...]], Any]


class R2Bucket:
    """`env.NAME`: a bucket of objects in one place; whoever reads sees the last write."""

    constructor = Constructor(INTERFACE)

    def __init__(self, world: World, store: R2Store, binding_name: str) -> None:
        self._world = world
        self._store = store
        self._name = binding_name

    def head(self, *args: Any, **kwargs: Any) -> Any:
        """An object's metadata (R2Object), None if there is no such key."""
        return _do(self._head, args, kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """An object with its body (R2ObjectBody), None if there is no such key.

        get(key, {onlyIf, range}). If `onlyIf` does not hold, an R2Object without `body`. Raises RangeError, TypeError,
        and "get: The requested range is not satisfiable (10039)".
        """
        return _do(self._get, args, kwargs)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        """Store text, bytes, a Blob or a stream of known length; gives its R2Object, None if `onlyIf` does not hold.

        put(key, value, {onlyIf, httpMetadata, customMetadata, storageClass, md5 | sha1 | sha256 | sha384 | sha512}).
        """
        return _do(self._put, args, kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Remove one key or a list of them; missing ones are fine (recorded)."""
        return _do(self._delete, args, kwargs)

    def list(self, *args: Any, **kwargs: Any) -> Any:
        """A page of objects: a JsDict with objects, truncated, delimitedPrefixes and, if there is more, cursor.

        list({limit, prefix, cursor, delimiter, startAfter, include}).
        """
        return _do(self._list, args, kwargs)

    def createMultipartUpload(self, *args: Any, **kwargs: Any) -> Any:
        """Begin an upload in parts: createMultipartUpload(key, {httpMetadata, customMetadata, storageClass})."""
        return _do(self._create, args, kwargs)

    def resumeMultipartUpload(self, *args: Any, **kwargs: Any) -> R2MultipartUpload:
        """The upload with this key and id; nothing is sent, and nothing checked."""
        given = sent(args, kwargs)
        key = text(argument(given, 0), 1, "resumeMultipartUpload", INTERFACE)
        return R2MultipartUpload(
            self._world, self._store, key, text(argument(given, 1), 2, "resumeMultipartUpload", INTERFACE)
        )

    # -- one operation each, arguments converted

    def _head(self, args: tuple[Any, ...]) -> Any:
        key = text(argument(args, 0), 1, "head", INTERFACE)
        return _ask(self._store, "head", lambda: self._whole(self._store.find(key)), HEAD_US)

    def _get(self, args: tuple[Any, ...]) -> Any:
        key = text(argument(args, 0), 1, "get", INTERFACE)
        options = get_options(self._world, argument(args, 1))

        def operation() -> R2Object | None:
            stored = self._store.find(key)
            if stored is None or not options.condition.holds(stored):
                return self._whole(stored)
            part = options.range.within(stored.size)
            return R2ObjectBody(self._world, stored, part)

        return _ask(self._store, "get", operation, READ_US)

    def _put(self, args: tuple[Any, ...]) -> Any:
        key = text(argument(args, 0), 1, "put", INTERFACE)
        options = put_options(self._world, argument(args, 2))
        data = value_bytes(argument(args, 1), "put")

        def operation() -> R2Object | None:
            stored = self._store.put(key, data, options.metadata, options.expected, options.condition.holds)
            return None if stored is None else R2Object(stored)

        return _ask(self._store, "put", operation, WRITE_US)

    def _delete(self, args: tuple[Any, ...]) -> Any:
        given = argument(args, 0)
        if isinstance(given, list):
            keys = [js_text(key) for key in given]
        else:
            keys = [text(given, 1, "delete", INTERFACE, "string or Array")]
        return _ask(self._store, "delete", lambda: self._store.remove(keys), DELETE_US)

    def _list(self, args: tuple[Any, ...]) -> Any:
        options = list_options(self._world, argument(args, 0))
        return _ask(self._store, "list", lambda: self._page(options), LIST_US)

    def _page(self, options: ListOptions) -> JsDict:
        page = self._store.page(options.prefix, page_limit(options), options.after, options.delimiter)
        found = JsDict(objects=[self._listed(stored, options) for stored in page.objects])
        found["truncated"] = page.cursor is not None
        if page.cursor is not None:
            found["cursor"] = page.cursor
        found["delimitedPrefixes"] = page.prefixes
        return found

    def _listed(self, stored: Stored, options: ListOptions) -> R2ListedObject:
        """An object as a listing shows it: metadata that was not asked for is unknown, locally empty (observed)."""
        http, custom = "httpMetadata" in options.include, "customMetadata" in options.include
        metadata = stored.metadata
        shown = Metadata(metadata.http if http else {}, metadata.custom if custom else {}, metadata.storage_class)
        local = self._store.is_local
        return R2ListedObject(replace(stored, metadata=shown), http=http or local, custom=custom or local)

    def _create(self, args: tuple[Any, ...]) -> Any:
        key = text(argument(args, 0), 1, "createMultipartUpload", INTERFACE)
        metadata = multipart_options(self._world, argument(args, 1))

        def operation() -> R2MultipartUpload:
            return R2MultipartUpload(self._world, self._store, key, self._store.start_upload(key, metadata))

        return _ask(self._store, "createMultipartUpload", operation, WRITE_US)

    @staticmethod
    def _whole(stored: Stored | None) -> R2Object | None:
        if stored is None:
            return None
        return R2Object(stored, part=(0, stored.size))

    def __repr__(self) -> str:
        return f"<R2Bucket {self._name} of {self._store.name!r}>"


class R2MultipartUpload:
    """An upload in parts: key, uploadId. It may be over already: nothing is checked before a part is sent."""

    def __init__(self, world: World, store: R2Store, key: str, upload_id: str) -> None:
        self._world = world
        self._store = store
        self.key = key
        self.uploadId = upload_id

    def uploadPart(self, *args: Any, **kwargs: Any) -> Any:
        """Send part `partNumber`, 1 to 10,000: uploadPart(partNumber, value). A JsDict of partNumber and etag."""
        return _do(self._part, args, kwargs)

    def complete(self, *args: Any, **kwargs: Any) -> Any:
        """Make the object of these parts, a list of what `uploadPart` gave. Gives its R2Object."""
        return _do(self._complete, args, kwargs)

    def abort(self, *args: Any, **kwargs: Any) -> Any:
        """Throw the parts away."""
        return _do(self._abort, args, kwargs)

    def _part(self, args: tuple[Any, ...]) -> Any:
        data = value_bytes(argument(args, 1), "uploadPart", UPLOAD_INTERFACE)
        number = part_number(argument(args, 0))

        def operation() -> JsDict:
            return JsDict(partNumber=number, etag=self._store.put_part(self.key, self.uploadId, number, data))

        return _ask(self._store, "uploadPart", operation, WRITE_US)

    def _complete(self, args: tuple[Any, ...]) -> Any:
        parts = uploaded_parts(argument(args, 0))

        def operation() -> R2Object:
            stored = self._store.complete(self.key, self.uploadId, parts)
            return R2Object(stored)

        return _ask(self._store, "completeMultipartUpload", operation, WRITE_US)

    def _abort(self, _: tuple[Any, ...]) -> Any:
        def operation() -> None:
            self._store.abort(self.key, self.uploadId)

        return _ask(self._store, "abortMultipartUpload", operation, DELETE_US)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"<R2MultipartUpload of {self.key!r}>"


def _do(operation: Operation, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Start an operation; what the runtime refuses in the caller is a rejection."""
    given = sent(args, kwargs)
    try:
        return operation(given)
    except JsException as error:
        return rejected(error)


def _ask(store: R2Store, method: str, operation: Callable[[], Any], takes_us: int) -> Any:
    """Do an operation at the bucket; a refusal gets the text that the caller reads."""

    def answer() -> Any:
        try:
            return operation()
        except Refusal as refusal:
            error = JsException(f"{method}: {refusal.text} ({refusal.code})")
            raise (noted(error, refusal.note) if refusal.note else error) from None

    return store.call(method, answer, takes_us)
