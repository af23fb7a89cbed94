"""`js.btoa`, `js.atob`, `js.TextEncoder`, `js.TextDecoder`.

Texts of the errors: workerd api/global-scope.c++ and api/encoding.c++ of August 2026.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from typing import Any

from dosim.web.buffers import JsUint8Array, buffer_bytes
from dosim.web.errors import JsException, noted, type_error
from dosim.web.forms import options_of
from dosim.web.interface import JsInterface, argument_text, utf8

_NOT_LATIN1 = "btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range."
_NOT_BASE64 = (
    "atob() called with invalid base64-encoded data. (Only whitespace, '+', '/', alphanumeric ASCII, and up to two "
    "terminal '=' signs when the input data length is divisible by 4 are allowed.)"
)
_SPACE = str.maketrans("", "", " \t\n\f\r")
#: The encodings that are left in use, by label; each name is Python's codec too.
_ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "utf-16": "utf-16le", "utf-16le": "utf-16le", "utf-16be": "utf-16be"}


def btoa(text: object) -> str:
    """Base64 of a text whose characters are bytes. Raises InvalidCharacterError for any other text."""
    try:
        return base64.b64encode(argument_text(text).encode("latin-1")).decode()
    except UnicodeEncodeError:
        raise JsException(_NOT_LATIN1, "InvalidCharacterError") from None


def atob(text: object) -> str:
    """The text that `btoa` was given. Raises InvalidCharacterError for what is no Base64."""
    data = argument_text(text).translate(_SPACE)
    if len(data) % 4 == 0:
        data = data.removesuffix("=").removesuffix("=")
    try:
        if "=" in data or len(data) % 4 == 1:
            raise binascii.Error
        return base64.b64decode(data + "=" * (-len(data) % 4), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        raise JsException(_NOT_BASE64, "InvalidCharacterError") from None


class TextEncoder(JsInterface):
    """`TextEncoder.new().encode(text)`: UTF-8 as a Uint8Array."""

    js_name = "TextEncoder"
    __slots__ = ()
    encoding = "utf-8"

    @classmethod
    def new(cls) -> TextEncoder:
        return cls()

    def encode(self, text: object = "") -> JsUint8Array:
        return JsUint8Array(utf8(argument_text(text)))


class TextDecoder(JsInterface):
    """`TextDecoder.new(label, fatal=False, ignoreBOM=False).decode(buffer)`: the text that the bytes are.

    Knows UTF-8 and UTF-16 of the platform's encodings. Raises RangeError for another label, TypeError for bytes that
    are no text if it is fatal.
    """

    js_name = "TextDecoder"
    __slots__ = ("_rest", "encoding", "fatal", "ignoreBOM")

    def __init__(self, label: str, fatal: bool, ignore_bom: bool) -> None:
        known = _ENCODINGS.get(label.strip().lower())
        if known is None:
            error = JsException(f'"{label}" is not a valid encoding.', "RangeError")
            raise noted(
                error, "dosim's TextDecoder knows utf-8, utf-16le and utf-16be: decode others with bytes.decode."
            )
        self.encoding = known
        self.fatal = fatal
        self.ignoreBOM = ignore_bom
        self._rest: tuple[codecs.IncrementalDecoder, bool] | None = None

    @classmethod
    def new(cls, label: object = None, init: object = None, **options: Any) -> TextDecoder:
        given = options_of(init, options, ("fatal", "ignoreBOM"))
        text = "utf-8" if label is None else argument_text(label)
        return cls(text, bool(given.get("fatal")), bool(given.get("ignoreBOM")))

    def decode(self, buffer: object = None, init: object = None, **options: Any) -> str:
        """The text of a buffer; with `stream=True` a character may go on in the next one."""
        data = b"" if buffer is None else buffer_bytes(buffer)
        if data is None:
            raise type_error("Failed to execute 'decode' on 'TextDecoder': parameter 1 is not of type 'BufferSource'.")
        final = not options_of(init, options, ("stream",)).get("stream")
        decoder, begun = self._rest or (self._new_decoder(), False)
        try:
            text = decoder.decode(data, final)
        except UnicodeDecodeError:
            self._rest = None
            raise type_error("Failed to decode input.") from None
        if text and not begun and not self.ignoreBOM:
            text = text.removeprefix("\ufeff")
        self._rest = None if final else (decoder, begun or bool(text))
        return text

    def _new_decoder(self) -> codecs.IncrementalDecoder:
        return codecs.getincrementaldecoder(self.encoding)("strict" if self.fatal else "replace")
