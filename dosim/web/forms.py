"""Blob, File and FormData of JavaScript, and the two encodings of a form.

The multipart boundary is a hash of the form's content, so that the same form is the same bytes in every run (the
platform draws it at random). Texts of the errors: workerd api/form-data.c++ and api/blob.c++ of August 2026.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from dosim.web.buffers import JsArrayBuffer, JsUint8Array, buffer_bytes
from dosim.web.errors import type_error
from dosim.web.interface import JsInterface, argument_int, argument_text, utf8
from dosim.web.maps import JsMapLike
from dosim.web.proxies import JsNull, jsnull
from dosim.web.url import decode_form

FORM_DATA = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_DISPOSITION = re.compile(r"\s*([\w-]+)\s*((?:;\s*[\w-]+\s*=\s*\"(?:[^\"\n\\]|\\[^\n])*\"\s*)*)")
_PARAMETER = re.compile(r";\s*([\w-]+)\s*=\s*\"((?:[^\"\n\\]|\\[^\n])*)\"")
_MIME = re.compile(r"\s*([!#$%&'*+.^_`|~\w-]+/[!#$%&'*+.^_`|~\w-]+)\s*(?:;(.*))?", re.DOTALL)
_MIME_PARAMETER = re.compile(r"\s*([^=;]+)=(?:\"((?:[^\"\\]|\\.)*)\"|([^;]*))\s*;?", re.DOTALL)


class JsBlob(JsInterface):
    """`js.Blob`: bytes with a type. Reading it is no I/O: the bytes are in memory."""

    js_name = "Blob"
    __slots__ = ("data", "type")

    def __init__(self, data: bytes, content_type: str = "") -> None:
        self.data = data
        self.type = content_type

    @classmethod
    def new(cls, parts: Iterable[object] = (), init: object = None, **options: object) -> JsBlob:
        """A Blob of text, buffers and Blobs one after the other; options: `type`."""
        given = options_of(init, options, ("type", "endings"))
        _refuse_endings(given)
        return JsBlob(_join(parts), _normal_type(given.get("type")))

    @property
    def size(self) -> int:
        return len(self.data)

    async def text(self) -> str:
        return self.data.decode("utf-8", "replace")

    async def arrayBuffer(self) -> JsArrayBuffer:
        return JsArrayBuffer(self.data)

    async def bytes(self) -> JsUint8Array:
        return JsUint8Array(self.data)

    def slice(self, start: int | None = None, end: int | None = None, content_type: str | None = None) -> JsBlob:
        """The bytes from start to end, negative ones counted from the end; the type is not inherited."""
        return JsBlob(self.data[slice(start, end)], _normal_type(content_type))

    def transfer(self) -> JsBlob:
        return JsBlob(self.data, self.type)


class JsFile(JsBlob):
    """`js.File`: a Blob with a name and a time of change in milliseconds."""

    js_name = "File"
    __slots__ = ("lastModified", "name")

    def __init__(self, data: bytes, name: str, content_type: str = "", last_modified_ms: int | None = None) -> None:
        super().__init__(data, content_type)
        self.name = name
        self.lastModified = _now_ms() if last_modified_ms is None else last_modified_ms

    @classmethod
    def new(  # type: ignore[override]
        cls, parts: Iterable[object], name: object, init: object = None, **options: object
    ) -> JsFile:
        """A File of these parts; options: `type`, `lastModified`."""
        given = options_of(init, options, ("type", "endings", "lastModified"))
        _refuse_endings(given)
        changed = given.get("lastModified")
        changed_ms = None if changed is None else argument_int(changed)
        return JsFile(_join(parts), argument_text(name), _normal_type(given.get("type")), changed_ms)

    def transfer(self) -> JsFile:
        return JsFile(self.data, self.name, self.type, self.lastModified)


FormValue = str | JsFile


class JsFormData(JsMapLike[FormValue]):
    """`js.FormData`: an ordered list of (name, text or File)."""

    js_name = "FormData"
    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[tuple[str, FormValue]] = ()) -> None:
        self._entries = list(entries)

    @classmethod
    def new(cls) -> JsFormData:
        return cls()

    def append(self, name: object, value: object, filename: object = None) -> None:
        key = argument_text(name)
        self._entries.append((key, _form_value(key, value, filename)))

    def set(self, name: object, value: object, filename: object = None) -> None:
        """Replaces the first entry of this name and drops the others."""
        key = argument_text(name)
        new = _form_value(key, value, filename)
        found = next((i for i, entry in enumerate(self._entries) if entry[0] == key), len(self._entries))
        rest = [entry for entry in self._entries[found + 1 :] if entry[0] != key]
        self._entries[found:] = [(key, new), *rest]

    def delete(self, name: str) -> None:
        self._entries = [entry for entry in self._entries if entry[0] != name]

    def get(self, name: str) -> FormValue | JsNull:
        return next((value for key, value in self._entries if key == name), jsnull)

    def getAll(self, name: str) -> list[FormValue]:
        return [value for key, value in self._entries if key == name]

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self._entries)

    def listed(self) -> list[tuple[str, FormValue]]:
        return [*self._entries]

    def transfer(self) -> JsFormData:
        return JsFormData((name, v if isinstance(v, str) else v.transfer()) for name, v in self._entries)


def options_of(init: object, options: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Options by keyword, or as attributes of the object given in their place; None is an option not given.

    JavaScript reads attributes, so a plain dict in the place of the object has no options (it needs `to_js`).
    """
    if init is None:
        return options
    return {name: getattr(init, name, None) for name in names} | options


def _refuse_endings(options: dict[str, Any]) -> None:
    if options.get("endings") is not None:
        raise type_error("The 'endings' field on 'Options' is not implemented.")


def _join(parts: Iterable[object]) -> bytes:
    return b"".join(map(_part, parts))


def _part(part: object) -> bytes:
    if isinstance(part, JsBlob):
        return part.data
    data = buffer_bytes(part)
    return utf8(argument_text(part)) if data is None else data


def _normal_type(value: object) -> str:
    """A Blob's type in lower case; empty if it has a character outside printable ASCII."""
    text = "" if value is None else argument_text(value)
    return text.lower() if all(0x20 <= ord(c) < 0x80 for c in text) else ""


def _now_ms() -> int:
    """The simulated time in milliseconds; 0 outside a simulation, where there is none."""
    try:
        loop: Any = asyncio.get_running_loop()
    except RuntimeError:
        return 0
    return int(time.time() * 1000) if hasattr(loop, "io_hop") else 0


def _form_value(name: str, value: object, filename: object) -> FormValue:
    if not isinstance(value, JsBlob):
        return argument_text(value)
    if isinstance(value, JsFile) and filename is None:
        return value
    return JsFile(value.data, name if filename is None else argument_text(filename), value.type)


# -- the two encodings


def mime_type(content_type: str) -> tuple[str, dict[str, str]] | None:
    """A Content-Type's essence and parameters, names in lower case; None if it is no MIME type."""
    match = _MIME.fullmatch(content_type)
    if match is None:
        return None
    parameters: dict[str, str] = {}
    for name, quoted, plain in _MIME_PARAMETER.findall(match[2] or ""):
        parameters.setdefault(name.strip().lower(), re.sub(r"\\(.)", r"\1", quoted) or plain.strip())
    return match[1].lower(), parameters


def encode_multipart(form: JsFormData) -> tuple[str, bytes]:
    """The Content-Type, with its boundary, and the bytes of a form."""
    parts = [_encode_part(name, value) for name, value in form.entries()]
    boundary = blake2b(b"\0".join(parts), digest_size=16).hexdigest()
    mark = boundary.encode()
    body = b"".join(b"--%b\r\n%b\r\n" % (mark, part) for part in parts) + b"--%b--" % mark
    return f"{FORM_DATA}; boundary={boundary}", body


def _encode_part(name: str, value: FormValue) -> bytes:
    head = f'Content-Disposition: form-data; name="{_escape(name)}"'
    if isinstance(value, str):
        return utf8(f"{head}\r\n\r\n{value}")
    content_type = value.type or "application/octet-stream"
    return utf8(f'{head}; filename="{_escape(value.name)}"\r\nContent-Type: {content_type}\r\n\r\n') + value.data


def _escape(text: str) -> str:
    if text.endswith("\\"):
        raise type_error("Name or filename can't end with backslash")
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\n", "%0A")


def decode_body(data: bytes, content_type: str) -> JsFormData:
    """The form in a body of this Content-Type. Raises the platform's TypeErrors."""
    parsed = mime_type(content_type)
    if parsed is not None and parsed[0] == FORM_DATA:
        boundary = parsed[1].get("boundary")
        if boundary is None:
            raise type_error(
                "No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary "
                "parameter, e.g. 'Content-Type: multipart/form-data; boundary=\"abcd\"'. See RFC 7578, section 4."
            )
        return JsFormData(_decode_multipart(data, utf8(boundary)))
    if parsed is not None and parsed[0] == URLENCODED:
        if parsed[1].get("charset", "utf-8").lower() not in ("utf-8", "utf8", "unicode-1-1-utf-8"):
            raise type_error("Non-utf-8 application/x-www-form-urlencoded body.")
        return JsFormData(decode_form(data.decode("utf-8", "replace")))
    raise type_error(
        "Unrecognized Content-Type header value. FormData can only parse the following MIME types: "
        f"{FORM_DATA}, {URLENCODED}"
    )


def _decode_multipart(data: bytes, boundary: bytes) -> Iterator[tuple[str, FormValue]]:
    _, _, rest = data.partition(b"--" + boundary)
    if not rest:
        raise type_error("No initial boundary string (or you have a truncated message).")
    while not rest.startswith(b"--"):
        if not rest.startswith((b"\n", b"\r\n")):
            raise type_error("Boundary string was not succeeded by CRLF, LF, or '--'.")
        rest = rest[1:] if rest.startswith(b"\n") else rest[2:]
        end = _HEAD_END.search(rest)
        if end is None:
            raise type_error("No multipart message header termination found.")
        head, rest = rest[: end.start()], rest[end.end() :]
        content, _, rest = rest.partition(b"\n--" + boundary)
        if not rest:
            raise type_error("No subsequent boundary string after multipart message.")
        yield _decode_part(head.decode("utf-8", "replace"), content.removesuffix(b"\r"))


@dataclass(frozen=True, slots=True)
class _PartHead:
    name: str
    filename: str | None
    content_type: str


def _decode_part(head: str, content: bytes) -> tuple[str, FormValue]:
    part = _part_head(head)
    if part.filename is None:
        return part.name, content.decode("utf-8", "replace")
    return part.name, JsFile(content, part.filename, part.content_type)


def _part_head(head: str) -> _PartHead:
    headers: dict[str, str] = {}
    for line in filter(None, head.splitlines()):
        name, colon, value = line.partition(":")
        if not colon:
            raise type_error("FormData part had invalid headers.")
        headers[name.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition")
    if disposition is None:
        raise type_error("No valid Content-Disposition header found in FormData part.")
    match = _DISPOSITION.match(disposition)
    if match is None:
        raise type_error("Invalid Content-Disposition header found in FormData part.")
    if match[1] != "form-data":
        raise type_error(
            'Content-Disposition header for FormData part must have the value "form-data", '
            f'possibly followed by parameters. Got: "{match[1]}"'
        )
    found = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _PARAMETER.findall(match[2])}
    if "name" not in found:
        raise type_error("Content-Disposition header in FormData part is missing a name.")
    return _PartHead(found["name"], found.get("filename"), headers.get("content-type", ""))


def blob_of_body(data: bytes, content_type: str | None) -> JsBlob:
    """What `response.blob()` gives: the bytes with the normalised MIME type of the header."""
    parsed = mime_type(content_type or "")
    if parsed is None:
        return JsBlob(data)
    essence, parameters = parsed
    return JsBlob(data, ";".join([essence, *(f"{name}={_token(value)}" for name, value in parameters.items())]))


def _token(value: str) -> str:
    if re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
