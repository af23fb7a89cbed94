"""`js.crypto`: random values, which the simulation seeds, and digests.

Source: workerd api/crypto/crypto.c++ of August 2026. Keys, signatures and ciphers are not here.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from typing import Any, TypeVar

from dosim.web.buffers import JsArrayBuffer, JsUint8Array
from dosim.web.errors import JsException, noted, type_error
from dosim.web.interface import JsInterface, argument_text, interface_name
from dosim.workers.promises import JsPromise, Promise

B = TypeVar("B", bound=JsUint8Array)
#: MD5 is the platform's own addition.
_DIGESTS = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512", "MD5": "md5"}
_MOST_BYTES = 65_536


class SubtleCrypto(JsInterface):
    """`crypto.subtle`: digests alone."""

    js_name = "SubtleCrypto"
    __slots__ = ()

    def digest(self, algorithm: object, data: object) -> JsPromise:
        """An ArrayBuffer with the digest, to be awaited; `algorithm` is "SHA-256" and the like, or `{name}`.

        Raises TypeError for data that is no JavaScript buffer; the await raises NotSupportedError.
        """
        if not isinstance(data, JsArrayBuffer):
            error = type_error(
                "Failed to execute 'digest' on 'SubtleCrypto': parameter 2 is not of type 'BufferSource'."
            )
            raise noted(error, "Data for JavaScript is a buffer: write to_js(data), with data as bytes.")
        name = argument_text(getattr(algorithm, "name", algorithm)).upper()
        if name not in _DIGESTS:
            text = "Unrecognized or unimplemented digest algorithm requested."
            return Promise.reject(JsException(text, "NotSupportedError"))
        return Promise.resolve(JsArrayBuffer(hashlib.new(_DIGESTS[name], data.to_bytes()).digest()))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"crypto.subtle.{name}: dosim's crypto.subtle has digest; Python's hmac is there too.")


class Crypto(JsInterface):
    """`crypto`: every random value follows from the simulation's seed."""

    js_name = "Crypto"
    __slots__ = ()
    subtle = SubtleCrypto()

    def randomUUID(self) -> str:
        return str(uuid.uuid4())

    def getRandomValues(self, buffer: B) -> B:
        """Fill a Uint8Array with random bytes and return it. Raises QuotaExceededError above 64 KiB."""
        if not isinstance(buffer, JsUint8Array):
            kind = interface_name(buffer) or type(buffer).__name__
            text = "Failed to execute 'getRandomValues' on 'Crypto': parameter 1 is not of type 'ArrayBufferView'."
            raise noted(type_error(text), f"It was given {kind}: write crypto.getRandomValues(Uint8Array.new(16)).")
        if buffer.length > _MOST_BYTES:
            raise JsException(
                f"getRandomValues() only accepts buffers of size <= 64K but provided {buffer.length} bytes.",
                "QuotaExceededError",
            )
        buffer._data = os.urandom(buffer.length)
        return buffer


crypto = Crypto()
