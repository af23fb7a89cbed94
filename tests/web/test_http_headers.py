"""Headers, buffers, Blobs and forms of the JavaScript side."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dosim.web.buffers import JsArrayBuffer, JsUint8Array
from dosim.web.errors import JsException
from dosim.web.forms import JsBlob, JsFile, JsFormData, decode_body, encode_multipart
from dosim.web.headers import JsHeaders
from dosim.web.proxies import jsnull, to_js
from dosim.web.url import JsURLSearchParams


def test_names_have_no_case() -> None:
    """Header names ignore case and are listed sorted, in lower case."""
    headers = JsHeaders.new({"X-Token": "t", "Accept": "a"})

    assert headers.get("x-TOKEN") == "t"
    assert (headers.get("x-nope"), headers.find("x-nope")) == (jsnull, None)
    assert list(headers) == [("accept", "a"), ("x-token", "t")]
    assert list(headers.keys()) == ["accept", "x-token"]


def test_repeated_values_are_joined_except_cookies() -> None:
    """Repeated headers join with ", "; each Set-Cookie is an entry of its own."""
    headers = JsHeaders.new([("Set-Cookie", "a=1"), ("X-Many", "1"), ("Set-Cookie", "b=2"), ("X-Many", "2")])

    assert headers.get("x-many") == "1, 2"
    assert headers.getSetCookie() == ["a=1", "b=2"]
    assert list(headers.entries()) == [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-many", "1, 2")]


def test_values_are_turned_into_text() -> None:
    """Values become text as in JavaScript, without whitespace around them."""
    headers = JsHeaders.new({"a": 123, "b": True, "c": 1.0, "d": "  x \t"})

    assert [headers.get(name) for name in "abcd"] == ["123", "true", "1", "x"]
    assert list(JsHeaders.new(to_js({"items": 1})).entries()) == [("items", "1")]
    assert list(JsHeaders.new(to_js([["a", 1]])).entries()) == [("a", "1")]


@pytest.mark.parametrize(
    ("init", "text"),
    [
        ({"a b": "x"}, "TypeError: Invalid header name."),
        ({"a": "x\ny"}, "TypeError: Invalid header value."),
        (
            [("a",)],
            (
                "TypeError: To initialize a Headers object from a sequence, "
                "each inner sequence must have exactly two elements."
            ),
        ),
    ],
)
def test_refused_headers(init: object, text: str) -> None:
    """Names, values and pairs are checked with the platform's texts."""
    with pytest.raises(JsException) as caught:
        JsHeaders.new(init)

    assert str(caught.value) == text


def test_copies_are_mutable_and_apart() -> None:
    """Headers made from immutable ones can be changed without changing those; a clone cannot."""
    first = JsHeaders.new({"a": "1"})
    first.immutable = True
    copy = JsHeaders.new(first)
    copy.append("a", "2")
    copy.delete("nope")

    assert (first.get("a"), copy.get("a")) == ("1", "1, 2")
    with pytest.raises(JsException, match="Can't modify immutable headers"):
        first.clone().set("a", "3")


def test_buffers_give_their_bytes() -> None:
    """A JavaScript buffer is read through to_bytes, to_py and byteLength; a Uint8Array can be indexed."""
    buffer, array = JsArrayBuffer(b"ab"), JsUint8Array(b"ab")

    assert buffer.constructor.name == "ArrayBuffer"
    assert (buffer.to_bytes(), bytes(buffer.to_py()), buffer.byteLength) == (b"ab", b"ab", 2)
    assert (array.constructor.name, list(array), array[1], len(array)) == ("Uint8Array", [97, 98], 98, 2)
    assert repr(buffer) == "[object ArrayBuffer]"


def test_blob_of_parts() -> None:
    """A Blob joins text, buffers and Blobs, lowers its type and slices from both ends."""
    blob = JsBlob.new(["ab", b"cd", JsBlob.new(["ef"]), JsUint8Array(b"gh")], type="Text/Plain")

    assert (blob.size, blob.type, blob.constructor.name) == (8, "text/plain", "Blob")
    assert asyncio.run(blob.slice(-3, -1).text()) == "fg"
    assert blob.slice(1, 3).type == ""
    assert JsBlob.new(["x"], type="bad\n").type == ""


def test_blob_endings_are_refused() -> None:
    """The endings option is not implemented, as on the platform."""
    with pytest.raises(JsException, match="The 'endings' field on 'Options' is not implemented"):
        JsBlob.new(["x"], endings="native")


def test_form_data_entries() -> None:
    """FormData keeps order and repeats; a Blob becomes a File named by its field unless a name is given."""
    form = JsFormData.new()
    form.append("a", 1)
    form.append("a", "2")
    form.append("file", JsBlob.new(["x"], type="t/x"))
    form.append("other", JsBlob.new(["y"]), "y.txt")
    assert form.getAll("a") == ["1", "2"]
    assert [form.get(n).name for n in ("file", "other")] == ["file", "y.txt"]  # type: ignore[union-attr]

    form.set("a", "3")

    assert [name for name, _ in form] == ["a", "file", "other"]
    assert form.get("nope") is jsnull


def test_multipart_round_trip() -> None:
    """A form survives its encoding, files with their names, types and bytes included."""
    form = JsFormData.new()
    form.append('quo"te', "é\nsecond line")
    form.append("f", JsFile.new([b"\r\n--\xff\x00"], "n\\a.bin", type="a/b"))
    content_type, body = encode_multipart(form)

    back = decode_body(body, content_type)

    assert content_type.startswith("multipart/form-data; boundary=")
    assert back.get("quo%22te") == "é\nsecond line"
    file = back.get("f")
    assert isinstance(file, JsFile)
    assert (file.name, file.type, file.data) == ("n\\a.bin", "a/b", b"\r\n--\xff\x00")


def test_multipart_is_deterministic() -> None:
    """The same form has the same boundary in every run, another form another one."""
    form, other = JsFormData([("a", "1")]), JsFormData([("a", "2")])

    assert encode_multipart(form) == encode_multipart(JsFormData([("a", "1")]))
    assert encode_multipart(form)[0] != encode_multipart(other)[0]
    assert encode_multipart(form)[0] == "multipart/form-data; boundary=c4126886205f4c67b0244a848da1936e"


def test_urlencoded_form() -> None:
    """A URL-encoded body is a form too."""
    form = decode_body(b"a=1&a=2&b=x+y%26", "application/x-www-form-urlencoded;charset=UTF-8")

    assert list(form.entries()) == [("a", "1"), ("a", "2"), ("b", "x y&")]


@pytest.mark.parametrize(
    ("body", "content_type", "start"),
    [
        (b"{}", "application/json", "Unrecognized Content-Type header value. FormData can only parse the following"),
        (b"", "multipart/form-data", "No boundary string in Content-Type header."),
        (b"", "multipart/form-data; boundary=x", "No initial boundary string (or you have a truncated message)."),
        (b"--x\r\nA: b\r\n\r\n", "multipart/form-data; boundary=x", "No subsequent boundary string after multipart"),
        (b"--x\r\nA: b\r\n\r\n\r\n--x--", "multipart/form-data; boundary=x", "No valid Content-Disposition header"),
        (b"a", "application/x-www-form-urlencoded; charset=latin1", "Non-utf-8 application/x-www-form-urlencoded"),
    ],
)
def test_bodies_that_are_no_form(body: bytes, content_type: str, start: str) -> None:
    """A body that is no form is refused with the platform's text."""
    with pytest.raises(JsException) as caught:
        decode_body(body, content_type)

    assert caught.value.name == "TypeError"
    assert caught.value.message.startswith(start)


@pytest.mark.parametrize(
    "entries",
    [JsHeaders.new({"a": "1", "b": "2"}), JsURLSearchParams.new("a=1&b=2"), JsFormData([("a", "1"), ("b", "2")])],
    ids=["Headers", "URLSearchParams", "FormData"],
)
def test_entries_are_iterators_and_take_brackets(entries: Any) -> None:
    """`entries()` is read once, by JavaScript's `next()` or by Python; `get`, `has` and `set` are Python's brackets."""
    steps = entries.entries()
    first = steps.next()
    assert (False, "a") == (first.done, first.value[0])
    assert [("b", "2")] == list(steps)
    assert steps.next().done
    assert [["a", "b"], ["1", "2"]] == [list(entries.keys()), list(entries.values())]

    entries["c"] = "3"
    assert ("3", True, False, jsnull) == (entries["c"], "c" in entries, "d" in entries, entries["d"])
