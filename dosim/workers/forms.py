"""`Blob`, `File` and `FormData` of Cloudflare's `workers` module: Python wrappers with a snake_case surface.

Source of the behaviour: workers-runtime-sdk 1.9.5, observed in workerd 2026-11-17. Each wraps a JavaScript value,
`js_object`; `FormData` gives Blobs and Files back as these wrappers.
"""

from __future__ import annotations

import builtins
from collections.abc import Generator, Iterator, MutableMapping
from enum import StrEnum
from typing import Any

from dosim.web.buffers import buffer_bytes
from dosim.web.errors import JsException
from dosim.web.forms import JsBlob, JsFile, JsFormData
from dosim.web.interface import interface_name

BlobValue = "str | bytes | js.ArrayBuffer | js.TypedArray | js.DataView | js.Blob | Blob | File"
FormDataValue = "str | js.Blob | Blob"
_BLOBS = ("Blob", "File")


class BlobEnding(StrEnum):
    """The line endings of a Blob's text, as the `endings` argument takes them; the platform refuses both."""

    TRANSPARENT = "transparent"
    NATIVE = "native"


class Blob:
    """Bytes with a type, made of one part or of several: text, buffers, Blobs.

    The type is inherited from a single Blob, not from a list with one. Raises TypeError for another kind of part.
    """

    _js_blob: JsBlob

    def __init__(
        self,
        blob_parts: object,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
    ) -> None:
        parts, single = _parts(blob_parts)
        if single and not content_type:
            content_type = _inherited(blob_parts, "content_type", "type")
        self._js_blob = JsBlob.new(parts, type=content_type, endings=str(endings) if endings else None)

    @property
    def size(self) -> int:
        return self._js_blob.size

    @property
    def content_type(self) -> str:
        return self._js_blob.type

    @property
    def js_object(self) -> JsBlob:
        return self._js_blob

    async def text(self) -> str:
        return await self._js_blob.text()

    async def bytes(self) -> builtins.bytes:
        return (await self._js_blob.arrayBuffer()).to_bytes()

    def slice(self, start: int | None = None, end: int | None = None, content_type: str | None = None) -> Blob:
        return Blob([self._js_blob.slice(start, end, content_type)])

    def transfer(self) -> Blob:
        return wrap_blob(self._js_blob.transfer())


class File(Blob):
    """A Blob with a name; the time of change is inherited from a single File."""

    _js_blob: JsFile

    def __init__(
        self,
        blob_parts: object,
        filename: str,
        content_type: str | None = None,
        endings: BlobEnding | str | None = None,
        last_modified: int | None = None,
    ) -> None:
        parts, single = _parts(blob_parts)
        if single and not content_type:
            content_type = _inherited(blob_parts, "content_type", "type")
        if single and not last_modified:
            last_modified = _inherited(blob_parts, "last_modified", "lastModified")
        self._js_blob = JsFile.new(
            parts,
            filename,
            type=content_type,
            endings=str(endings) if endings else None,
            lastModified=last_modified,
        )

    @property
    def name(self) -> str:
        return self._js_blob.name

    @property
    def last_modified(self) -> int:
        return self._js_blob.lastModified


class FormData(MutableMapping[str, Any]):
    """The fields of a form, several values a name allowed: a mapping with `append` and `get_all`.

    Made from nothing, a dict or a JavaScript FormData; anything else is a TypeError.
    """

    def __init__(self, form_data: object = None) -> None:
        self._js_form_data = JsFormData.new()
        if isinstance(form_data, JsFormData):
            self._js_form_data = form_data
        elif isinstance(form_data, dict):
            for name, value in form_data.items():
                self._js_form_data.append(name, _unwrap(value))
        elif form_data:
            raise TypeError("Expected form_data to be a dict or an instance of FormData")

    def __getitem__(self, key: str) -> Any:
        return _wrap(self._js_form_data.get(key))

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list):
            raise TypeError("Expected single item in arguments to FormData.__setitem__")
        self._js_form_data.set(key, _unwrap(value))

    def append(self, key: str, value: object, filename: str | None = None) -> None:
        self._js_form_data.append(key, _unwrap(value), filename)

    def delete(self, key: str) -> None:
        self._js_form_data.delete(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._js_form_data.has(key)

    def values(self) -> Generator[Any, None, None]:  # type: ignore[override]
        for value in self._js_form_data.values():
            yield _wrap(value)

    def keys(self) -> Generator[str, None, None]:  # type: ignore[override]
        yield from self._js_form_data.keys()

    def __iter__(self) -> Iterator[str]:
        yield from self.keys()

    def items(self) -> Generator[tuple[str, Any], None, None]:  # type: ignore[override]
        for name, value in self._js_form_data.entries():
            yield name, _wrap(value)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def __len__(self) -> int:
        """Fails as the SDK's does, which asks a generator for its length."""
        return len(self.keys())  # type: ignore[arg-type]

    def get_all(self, key: str) -> list[Any]:
        return [_wrap(value) for value in self._js_form_data.getAll(key)]

    @property
    def js_object(self) -> JsFormData:
        return self._js_form_data

    def transfer(self) -> FormData:
        return FormData(self._js_form_data.transfer())


def wrap_blob(value: JsBlob) -> Blob:
    """The wrapper of a JavaScript Blob or File, the value itself inside."""
    cls = File if isinstance(value, JsFile) else Blob
    wrapper = cls.__new__(cls)
    wrapper._js_blob = value
    return wrapper


def _wrap(value: object) -> object:
    return wrap_blob(value) if isinstance(value, JsBlob) else value


def _unwrap(value: object) -> object:
    return value.js_object if isinstance(value, Blob) else value


def _parts(value: object) -> tuple[list[object], bool]:
    """A Blob's parts on the JavaScript side, and whether they were given as one item."""
    items = None if isinstance(value, (str, bytes)) else _iterated(value)
    return [_part(item) for item in ([value] if items is None else items)], items is None


def _iterated(value: object) -> list[object] | None:
    try:
        return list(value)  # type: ignore[call-overload, no-any-return]
    except TypeError:
        return None


def _part(item: object) -> object:
    if isinstance(item, str):
        return item
    if isinstance(item, Blob):
        return item.js_object
    if interface_name(item) in _BLOBS:
        return item
    data = buffer_bytes(item)
    if data is None:
        raise TypeError(f"Don't know how to handle {type(item)} for Blob()")
    return data


def _inherited(value: object, python_name: str, js_name: str) -> Any:
    """A property of a single Blob or File, None if `value` has none."""
    if isinstance(value, Blob):
        return getattr(value, python_name, None)
    return getattr(value, js_name, None) if interface_name(value) in _BLOBS else None


def python_error(error: JsException) -> Exception:
    """The Python error the SDK makes of a JavaScript one: RangeError is ValueError, TypeError is TypeError."""
    kinds: dict[str, type[Exception]] = {"RangeError": ValueError, "TypeError": TypeError}
    kind = kinds.get(error.name)
    return error if kind is None else kind(error.message)
