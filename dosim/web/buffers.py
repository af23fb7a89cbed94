"""ArrayBuffer and Uint8Array as Pyodide hands them to Python: a JsProxy with the bytes one call away."""

from __future__ import annotations

from collections.abc import Iterator

from dosim.web.interface import JsInterface, interface_name

#: JavaScript's kinds of binary data, which a body may be made of. Source: SDK 1.9.5, RESPONSE_ACCEPTED_TYPES.
BUFFER_NAMES = frozenset(
    "ArrayBuffer TypedArray DataView Uint8Array Uint8ClampedArray Int8Array Uint16Array Int16Array Uint32Array "
    "Int32Array Float16Array Float32Array Float64Array BigInt64Array BigUint64Array".split()
)


class JsArrayBuffer(JsInterface):
    """Bytes on the JavaScript side. `to_bytes()` and `to_memoryview()` copy them to Python."""

    js_name = "ArrayBuffer"
    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def byteLength(self) -> int:
        return len(self._data)

    @property
    def nbytes(self) -> int:
        return len(self._data)

    def to_bytes(self) -> bytes:
        return self._data

    def to_py(self) -> memoryview:
        return memoryview(self._data)

    def to_memoryview(self) -> memoryview:
        return memoryview(self._data)

    def to_string(self, encoding: str = "utf-8") -> str:
        return self._data.decode(encoding)


class JsUint8Array(JsArrayBuffer):
    """Bytes that JavaScript can index."""

    js_name = "Uint8Array"
    __slots__ = ()

    @property
    def length(self) -> int:
        return len(self._data)

    @property
    def buffer(self) -> JsArrayBuffer:
        return JsArrayBuffer(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> int:
        return self._data[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._data)


def buffer_bytes(value: object) -> bytes | None:
    """The bytes of a Python or JavaScript buffer, copied if they can change; None for anything else."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if interface_name(value) in BUFFER_NAMES:
        to_bytes = getattr(value, "to_bytes", None)
        return bytes(to_bytes()) if callable(to_bytes) else None
    try:
        return bytes(memoryview(value))  # type: ignore[arg-type]
    except TypeError:
        return None
