"""`js`: crypto, Base64, TextEncoder and TextDecoder, and the constructors that public projects use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dosim import Simulation
from dosim.web.buffers import JsArrayBuffer, JsUint8Array
from dosim.web.errors import JsException
from dosim.workers import Response, WorkerEntrypoint, js
from dosim.workers.ffi import to_js


def inside(code: Callable[[], Any], seed: int = 0) -> Any:
    """What a coroutine function returns when a Worker runs it."""
    results: list[Any] = []

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            results.append(await code())
            return Response("ok")

    sim = Simulation(Default, network=None, seed=seed)
    call = sim.client().fetch("https://app.example/")
    sim.run(call)
    assert call.error is None, call.error
    return results[0]


def caught(call: Callable[[], object]) -> str:
    """The text of the JavaScript error that is raised."""
    with pytest.raises(JsException) as error:
        call()
    return str(error.value)


# -- crypto


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
        (to_js({"name": "SHA-1"}), "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ],
)
def test_digests(algorithm: object, digest: str) -> None:
    """The known digests of "abc" (FIPS 180-2, RFC 1321); the name in any case or as an object."""

    async def code() -> Any:
        return await js.crypto.subtle.digest(algorithm, to_js(b"abc"))

    result = inside(code)

    assert isinstance(result, JsArrayBuffer)
    assert result.to_bytes().hex() == digest


def test_digests_that_are_refused() -> None:
    """Another algorithm at the await, Python's own bytes at once."""

    async def unknown() -> str:
        promise = js.crypto.subtle.digest("SHA-3", to_js(b""))
        try:
            await promise
        except JsException as error:
            return str(error)
        return "no error"

    assert inside(unknown) == "NotSupportedError: Unrecognized or unimplemented digest algorithm requested."
    assert "parameter 2 is not of type 'BufferSource'" in caught(lambda: js.crypto.subtle.digest("SHA-1", b"abc"))
    with pytest.raises(AttributeError, match="hmac"):
        js.crypto.subtle.importKey  # noqa: B018


def test_random_values_follow_from_the_seed() -> None:
    """The array is filled in place and returned; another seed gives others."""

    async def code() -> tuple[bytes, bool, str]:
        array = js.Uint8Array.new(16)
        return js.crypto.getRandomValues(array).to_bytes(), array.to_bytes() != bytes(16), js.crypto.randomUUID()

    first = inside(code, seed=1)

    assert len(first[0]) == 16
    assert first[1]
    assert inside(code, seed=1) == first
    assert inside(code, seed=2) != first


def test_random_values_that_are_refused() -> None:
    """More than 64 KiB, and what is no JavaScript array."""
    assert caught(lambda: js.crypto.getRandomValues(js.Uint8Array.new(65_537))) == (
        "QuotaExceededError: getRandomValues() only accepts buffers of size <= 64K but provided 65537 bytes."
    )
    call: Any = js.crypto.getRandomValues
    assert "parameter 1 is not of type 'ArrayBufferView'" in caught(lambda: call(bytearray(4)))


# -- Base64


@pytest.mark.parametrize(("text", "encoded"), [("", ""), ("a", "YQ=="), ("\xff\x00", "/wA="), ("abc", "YWJj")])
def test_base64_both_ways(text: str, encoded: str) -> None:
    """btoa and atob undo each other."""
    assert js.btoa(text) == encoded
    assert js.atob(encoded) == text


def test_atob_is_lenient_about_padding_and_spaces() -> None:
    """As the specification says: spaces count for nothing, padding may be missing."""
    assert js.atob(" Y\nQ") == js.atob("YQ==") == "a"


@pytest.mark.parametrize("text", ["Y", "YQ=", "YQ===", "Y-==", "=YQ="])
def test_what_is_no_base64(text: str) -> None:
    """InvalidCharacterError with the platform's text."""
    assert caught(lambda: js.atob(text)).startswith("InvalidCharacterError: atob() called with invalid base64")


def test_btoa_takes_bytes_as_characters_only() -> None:
    """A character beyond Latin-1 is refused."""
    assert caught(lambda: js.btoa("€")) == (
        "InvalidCharacterError: btoa() can only operate on characters in the Latin1 (ISO/IEC 8859-1) range."
    )


# -- texts


def test_text_encoder() -> None:
    """UTF-8 as a Uint8Array."""
    encoded = js.TextEncoder.new().encode("aü€")

    assert isinstance(encoded, JsUint8Array)
    assert encoded.to_bytes() == "aü€".encode()


def test_text_decoder() -> None:
    """UTF-8 and UTF-16; a byte order mark goes unless it is to stay; broken bytes are marked or refused."""
    decoder = js.TextDecoder.new()
    assert decoder.encoding == "utf-8"
    assert decoder.decode(to_js(b"\xef\xbb\xbfa\xff")) == "a\ufffd"
    assert js.TextDecoder.new("UTF-8", ignoreBOM=True).decode(to_js(b"\xef\xbb\xbfa")) == "\ufeffa"
    assert js.TextDecoder.new("utf-16le").decode(to_js("aü".encode("utf-16-le"))) == "aü"
    assert js.TextDecoder.new().decode() == ""
    fatal = js.TextDecoder.new("utf-8", to_js({"fatal": True}))
    assert caught(lambda: fatal.decode(to_js(b"\xff"))) == "TypeError: Failed to decode input."
    assert caught(lambda: js.TextDecoder.new("latin9")) == 'RangeError: "latin9" is not a valid encoding.'
    assert "not of type 'BufferSource'" in caught(lambda: js.TextDecoder.new().decode("text"))


def test_text_decoder_streams() -> None:
    """A character that is cut in two waits for its second half."""
    decoder = js.TextDecoder.new()
    parts = [decoder.decode(to_js(part), stream=True) for part in (b"a\xc3", b"\xbcb\xe2")]

    assert [*parts, decoder.decode()] == ["a", "üb", "\ufffd"]


# -- requests and responses


def test_constructors_of_requests_and_responses() -> None:
    """`js.Request.new(url, init)`, `js.Response.json`, `.redirect` and `.error`."""
    request = js.Request.new("https://a.example/x", method="POST", body="b", headers=to_js({"x-a": "1"}))
    data, redirect = js.Response.json(to_js({"a": 1})), js.Response.redirect("https://a.example/y", 303)

    assert (request.method, request.url, request.headers.get("X-A")) == ("POST", "https://a.example/x", "1")
    assert data.headers.get("content-type") == "application/json"
    assert data.stream is not None
    assert data.stream.data == b'{"a":1}'
    assert (redirect.status, redirect.headers.get("location")) == (303, "https://a.example/y")
    assert js.Response.error().type == "error"


# -- statics whose names are Python's keywords


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (float("nan"), float("nan"), True),
        ("a", "a", True),
        (True, True, True),
        (True, 1, False),
        ("1", 1, False),
        (1, "1", False),
        (to_js([1]), to_js([1]), False),
    ],
)
def test_object_is(one: object, other: object, same: bool) -> None:
    """`getattr(Object, "is")`: how public projects find a socket again."""
    assert same is getattr(js.Object, "is")(one, other)
    assert getattr(js.Object, "is")(other, other)


def test_array_from() -> None:
    """`getattr(Array, "from")` and Pyodide's `from_` are one."""
    rows = iter([{"a": 1}, {"a": 2}])
    assert [{"a": 1}, {"a": 2}] == getattr(js.Array, "from")(rows).to_py()
    assert ["x", "y"] == js.Array.from_("xy").to_py()
