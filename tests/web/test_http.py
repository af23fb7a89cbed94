"""Request and Response of JavaScript, and what fetch does with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPMethod
from types import SimpleNamespace
from typing import Any

import pytest

from dosim.web.body import JsReadableStream
from dosim.web.errors import JsException
from dosim.web.forms import JsBlob, JsFormData
from dosim.web.headers import JsHeaders
from dosim.web.http import (
    JsRequest,
    JsResponse,
    deliver_request,
    deliver_response,
    redirect_target,
    request_from_fetch_args,
    stringify,
)
from dosim.web.proxies import jsnull, to_js
from dosim.web.url import JsURL, JsURLSearchParams


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that must not suspend."""
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    return done.value.value


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(JsException) as caught:
        call()
    return str(caught.value)


# -- bodies


@pytest.mark.parametrize(
    ("body", "content_type", "data"),
    [
        ("hé", "text/plain;charset=UTF-8", "hé".encode()),
        ("", "text/plain;charset=UTF-8", b""),
        ("\ud800", "text/plain;charset=UTF-8", "\ufffd".encode()),
        (b"\x01\x02", None, b"\x01\x02"),
        (memoryview(b"mv"), None, b"mv"),
        (JsBlob.new(["b"]), None, b"b"),
        (JsBlob.new(["b"], type="t/x"), "t/x", b"b"),
        (JsURLSearchParams.new({"a": "b c"}), "application/x-www-form-urlencoded;charset=UTF-8", b"a=b+c"),
        (JsReadableStream(b"s"), None, b"s"),
        (5, "text/plain;charset=UTF-8", b"5"),
        (None, None, b""),
    ],
)
def test_kinds_of_bodies(body: object, content_type: str | None, data: bytes) -> None:
    """Each kind of body brings its bytes and its Content-Type."""
    response = JsResponse.new(body)

    assert response.headers.find("content-type") == content_type
    assert finished(response.bytes()).to_bytes() == data


def test_form_body_comes_back_as_form() -> None:
    """A FormData body is multipart and read again by formData()."""
    form = JsFormData([("a", "1"), ("a", "2")])
    request = JsRequest.new("http://do/", method="POST", body=form)

    assert str(request.headers.find("content-type")).startswith("multipart/form-data; boundary=")
    assert finished(request.formData()).getAll("a") == ["1", "2"]


def test_a_given_content_type_stays() -> None:
    """The body's Content-Type does not replace one that was given."""
    response = JsResponse.new("<p>", headers={"Content-Type": "text/html"})

    assert response.headers.find("content-type") == "text/html"


def test_body_is_read_once() -> None:
    """A read uses the body up at the call; the second one is a TypeError when awaited."""
    response = JsResponse.new("x")
    first = response.text()
    assert response.bodyUsed
    second = response.text()

    assert finished(first) == "x"
    with pytest.raises(JsException, match="Body has already been used"):
        second.send(None)


def test_null_body_is_never_used() -> None:
    """A null body reads as nothing, any number of times."""
    response = JsResponse.new(None, status=204)

    assert response.body is jsnull
    assert [finished(response.text()) for _ in range(2)] == ["", ""]
    assert not response.bodyUsed


def test_json_as_javascript_has_it() -> None:
    """json() gives objects with attributes and JavaScript's numbers; broken text is a SyntaxError."""
    value = finished(JsResponse.new('{"a": [1.0, 2.5, null], "b": {"c": 9007199254740993}}').json())

    assert value.to_py() == {"a": [1, 2.5, None], "b": {"c": 9007199254740992}}
    assert repr(value.a[0]) == "1"
    assert value.b.c == 9007199254740992
    broken = JsResponse.new('{"a": x}').json()
    assert refusal(lambda: broken.send(None)) == 'SyntaxError: Unexpected token \'x\', "{"a": x}" is not valid JSON'
    empty = JsResponse.new("").json()
    assert refusal(lambda: empty.send(None)) == "SyntaxError: Unexpected end of JSON input"


def test_blob_of_a_body_has_its_type() -> None:
    """blob() carries the normalised Content-Type."""
    blob = finished(JsResponse.new("x", headers={"content-type": "Text/HTML; Charset=utf-8"}).blob())

    assert (blob.type, blob.data) == ("text/html;charset=utf-8", b"x")


def test_clone_splits_the_body() -> None:
    """Both sides of a clone can be read; a used body cannot be cloned."""
    response = JsResponse.new("x", status=201, headers={"a": "b"})
    other = response.clone()
    other.headers.set("a", "c")

    assert (finished(response.text()), finished(other.text())) == ("x", "x")
    assert (other.status, response.headers.find("a")) == (201, "b")
    assert refusal(response.clone).startswith("TypeError: Body has already been used.")


def test_stream_of_one_response_is_the_body_of_another() -> None:
    """A body handed on is shared: reading it at one place uses it up at the other."""
    first = JsResponse.new("x")
    second = JsResponse.new(first.body, status=201)

    assert finished(second.text()) == "x"
    assert first.bodyUsed
    assert refusal(lambda: JsResponse.new(first.body)).startswith("TypeError: This ReadableStream is disturbed")


def test_stream_reader_and_tee() -> None:
    """A stream gives its bytes as one chunk, to a reader, to a loop or to two branches."""

    async def scenario() -> list[object]:
        left, right = JsReadableStream(b"ab").tee()
        reader = left.getReader()
        chunks = [await reader.read(), await reader.read()]
        return [chunks[0].value.to_bytes(), chunks[1].done, [c.to_bytes() async for c in right], left.locked]

    assert asyncio.run(scenario()) == [b"ab", True, [b"ab"], True]


def test_a_read_waits_for_one_event_inside_a_simulation() -> None:
    """On a loop that offers io_hop each read of a body waits for it once; a null body and a Blob do not."""
    hops: list[str] = []

    class Loop(asyncio.SelectorEventLoop):
        def io_hop(self, what: str) -> asyncio.Future[None]:
            hops.append(what)
            future = self.create_future()
            self.call_soon(future.set_result, None)
            return future

    async def scenario() -> list[object]:
        return [
            await JsResponse.new("a").text(),
            (await JsResponse.new("[1]").json())[0],
            await JsResponse.new(None).text(),
            await JsBlob.new(["b"]).text(),
        ]

    loop = Loop()
    try:
        assert loop.run_until_complete(scenario()) == ["a", 1, "", "b"]
    finally:
        loop.close()
    assert hops == ["body", "body"]


# -- Response


def test_status_and_text() -> None:
    """statusText is the reason phrase unless one was given."""
    responses = [JsResponse.new(None, status=status) for status in (200, 299, 404)]
    assert [(r.status, r.statusText, r.ok) for r in responses] == [
        (200, "OK", True),
        (299, "Successful", True),
        (404, "Not Found", False),
    ]
    assert JsResponse.new(None, status=418, statusText="Teapot").statusText == "Teapot"
    response = JsResponse.new("x")
    assert (response.type, response.url, response.redirected, response.webSocket) == ("default", "", False, None)
    assert response.constructor.name == "Response"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"status": 700},
            "RangeError: Responses may only be constructed with status codes in the range 200 to 599, inclusive.",
        ),
        (
            {"status": 101},
            "RangeError: Responses may only be constructed with status codes in the range 200 to 599, inclusive.",
        ),
        ({"status": 200, "webSocket": object()}, "RangeError: Responses with a WebSocket must have status code 101."),
        (
            {"status": 204},
            "TypeError: Response with null body status (101, 204, 205, or 304) cannot have a body.",
        ),
        ({"statusText": "a\nb"}, "TypeError: Invalid statusText"),
    ],
)
def test_refused_responses(options: dict[str, object], text: str) -> None:
    """Status, status text and body are checked with the platform's texts."""
    assert refusal(lambda: JsResponse.new("x", **options)) == text


def test_an_empty_body_fits_a_null_body_status() -> None:
    """An empty text with status 204 is a null body."""
    assert JsResponse.new("", status=204).stream is None


def test_options_as_an_object() -> None:
    """Options are read from attributes: of a JavaScript object, of another Response, not of a plain dict."""
    custom = JsResponse.new("x", to_js({"status": 201, "headers": {"a": "b"}}))
    like = JsResponse.new("y", custom)
    ignored = JsResponse.new("x", {"status": 201})

    assert (custom.status, custom.headers.find("a")) == (201, "b")
    assert (like.status, like.headers.find("a"), like.statusText) == (201, "b", "Created")
    assert ignored.status == 200


def test_redirect() -> None:
    """Response.redirect normalises its URL and accepts only redirect statuses."""
    response = JsResponse.redirect("http://DO/a/../new")

    assert (response.status, response.headers.find("location")) == (302, "http://do/new")
    assert refusal(lambda: response.headers.set("x", "y")) == "TypeError: Can't modify immutable headers."
    assert refusal(lambda: JsResponse.redirect("http://do/", 200)) == (
        "RangeError: 200 is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308."
    )
    assert refusal(lambda: JsResponse.redirect("/new")) == "TypeError: Unable to parse URL: /new"


def test_static_json() -> None:
    """Response.json writes compact JSON and its Content-Type, unless another was given."""
    response = JsResponse.json({"a": [1.0, float("nan"), "é"], "b": None}, status=201)
    other = JsResponse.json([], headers={"content-type": "x/y"})

    assert (response.status, response.headers.find("content-type")) == (201, "application/json")
    assert finished(response.text()) == '{"a":[1,null,"é"],"b":null}'
    assert other.headers.find("content-type") == "x/y"
    assert stringify((True, 2.5)) == "[true,2.5]"


# -- Request


def test_request_defaults() -> None:
    """A Request normalises its URL; without options it is a GET that follows redirects."""
    request = JsRequest.new("http://DO")

    assert (request.url, request.method, request.redirect, request.stream, request.cf) == (
        "http://do/",
        "GET",
        "follow",
        None,
        None,
    )
    assert (request.constructor.name, request.integrity, request.keepalive) == ("Request", "", False)
    assert JsRequest.new(JsURL.new("http://do/x")).url == "http://do/x"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "BREW"}, "TypeError: Invalid HTTP method string: BREW"),
        ({"method": "CONNECT"}, "TypeError: Invalid HTTP method string: CONNECT"),
        ({"body": "x"}, "TypeError: Request with a GET or HEAD method cannot have a body."),
        ({"redirect": "error"}, "TypeError: Invalid redirect value, must be one of"),
        ({"cache": "default"}, "TypeError: Unsupported cache mode: default"),
    ],
)
def test_refused_requests(options: dict[str, object], text: str) -> None:
    """Methods, bodies and modes are checked with the platform's texts."""
    assert refusal(lambda: JsRequest.new("http://do/", **options)).startswith(text)


def test_request_from_request_takes_the_body() -> None:
    """A Request made from another one has its body; the other's is used up."""
    first = JsRequest.new("http://do/", method="post", body="x", headers={"a": "b"}, cf={"colo": "DFW"})
    second = JsRequest.new(first, headers={"c": "d"})

    assert (second.method, second.headers.find("c"), second.headers.find("a")) == ("POST", "d", None)
    assert second.cf.to_py() == {"colo": "DFW"}  # type: ignore[attr-defined]
    assert (first.bodyUsed, finished(second.text())) == (True, "x")
    assert refusal(lambda: JsRequest.new(first)) == "TypeError: Cannot reconstruct a Request with a used body."
    assert finished(JsRequest.new(first, body="y").text()) == "y"


def test_transfer_is_an_independent_copy() -> None:
    """What arrives by RPC is a copy; the body is used up at the sender, and a used one cannot be sent."""
    response = JsResponse.new("x", status=201, headers={"a": "b"})
    copy = response.transfer()
    copy.headers.set("a", "c")

    assert type(copy) is JsResponse
    assert (response.bodyUsed, response.headers.find("a"), copy.status) == (True, "b", 201)
    assert finished(copy.text()) == "x"
    assert refusal(response.transfer).startswith("TypeError: Body has already been used.")
    assert JsRequest.new("http://do/#f").transfer().url == "http://do/#f"


# -- fetch


def test_invalid_url_is_refused_before_sending() -> None:
    """A relative URL is the recorded TypeError, another scheme is refused too."""
    assert refusal(lambda: request_from_fetch_args("/items")) == "TypeError: Invalid URL: /items"
    assert refusal(lambda: request_from_fetch_args("ftp://h/")) == "TypeError: Fetch API cannot load: ftp://h/"


def test_fetch_arguments() -> None:
    """fetch takes a URL or a Request, which loses its body, and Python values as options."""
    request = request_from_fetch_args(
        "http://do/x",
        {"method": HTTPMethod.PUT, "headers": [("A", 1)], "body": b"b", "redirect": "manual", "cf": {"a": {"b": 1}}},
    )
    old = JsRequest.new("http://do/", method="POST", body="x")
    passed_on = request_from_fetch_args(old, {"headers": None, "body": None})

    assert (request.method, request.headers.find("a"), request.redirect) == ("PUT", "1", "manual")
    assert request.cf.to_py() == {"a": {"b": 1}}  # type: ignore[attr-defined]
    assert (old.bodyUsed, finished(passed_on.text())) == (True, "x")


def test_python_bodies_of_fetch() -> None:
    """A list is sent as its items one after the other, a dict is no JSON."""
    as_list = request_from_fetch_args("http://do/", {"method": "POST", "body": ["a", b"b", 1]})
    as_dict = request_from_fetch_args("http://do/", {"method": "POST", "body": {"a": 1}})

    assert (as_list.headers.find("content-type"), finished(as_list.text())) == (None, "ab1")
    assert finished(as_dict.text()) == "[object Object]"


def test_request_as_the_object_sees_it() -> None:
    """The handler's Request has a length, immutable headers, no fragment, and hands redirects back."""
    sent = request_from_fetch_args("http://do/x?y#f", {"method": "POST", "body": "hé", "headers": {"X": "1"}})
    seen = deliver_request(sent)

    assert (seen.url, seen.method, seen.redirect, seen.headers.find("x")) == ("http://do/x?y", "POST", "manual", "1")
    assert (seen.headers.find("content-length"), finished(seen.text())) == ("3", "hé")
    assert refusal(lambda: seen.headers.set("x", "2")) == "TypeError: Can't modify immutable headers."
    assert sent.bodyUsed
    assert deliver_request(JsRequest.new("http://do/")).headers.find("content-length") is None
    stream = request_from_fetch_args("http://do/", {"method": "POST", "body": ["a"]})
    assert deliver_request(stream).headers.find("transfer-encoding") == "chunked"


def test_response_as_the_caller_sees_it() -> None:
    """The caller's Response has the URL of the request and immutable headers; HEAD and 204 have no body."""
    request = JsRequest.new("http://do/x#f")
    seen = deliver_response(JsResponse.new("x", status=418, statusText="Teapot"), request, redirected=True)
    head = deliver_response(JsResponse.new("x"), JsRequest.new("http://do/", method="HEAD"))

    assert (seen.url, seen.status, seen.statusText, seen.redirected) == ("http://do/x", 418, "Teapot", True)
    assert seen.headers.immutable
    assert (finished(seen.text()), head.stream) == ("x", None)
    assert deliver_response(JsResponse.new(None), request).stream is not None
    assert deliver_response(JsResponse.new(None, status=204), request).stream is None


def test_what_cannot_be_answered() -> None:
    """A used body and a WebSocket nobody asked for are refused."""
    request, socket = JsRequest.new("http://do/"), SimpleNamespace(check_sendable=lambda: None)
    used = JsResponse.new("x")
    used.text().close()
    upgrade = JsResponse.new(None, status=101, webSocket=socket)
    asked = JsRequest.new("http://do/", headers={"Upgrade": "websocket"})

    assert refusal(lambda: deliver_response(used, request)).startswith("TypeError: Body has already been used.")
    assert refusal(lambda: deliver_response(upgrade, request)) == (
        "TypeError: Worker tried to return a WebSocket in a response to a request which did not contain the header "
        '"Upgrade: websocket".'
    )
    assert deliver_response(upgrade, asked).webSocket is socket
    assert refusal(upgrade.clone) == "TypeError: Cannot clone a response to a WebSocket handshake."


@pytest.mark.parametrize(
    ("status", "method", "expected", "body"),
    [
        (301, "POST", "GET", ""),
        (302, "POST", "GET", ""),
        (302, "PUT", "PUT", "x"),
        (303, "PUT", "GET", ""),
        (303, "HEAD", "HEAD", ""),
        (307, "POST", "POST", "x"),
        (308, "POST", "POST", "x"),
    ],
)
def test_redirect_rules(status: int, method: str, expected: str, body: str) -> None:
    """301 and 302 turn POST into GET, 303 everything but HEAD, 307 and 308 send the body again."""
    request = JsRequest.new("http://do/a/b", method=method, body=None if method == "HEAD" else "x")
    deliver_request(request)
    answer = JsResponse.new(None, status=status, headers={"Location": "c?d"})

    target = redirect_target(answer, request)

    assert target is not None
    assert (target.url, target.method, finished(target.text())) == ("http://do/a/c?d", expected, body)


def test_what_is_no_redirect() -> None:
    """Manual mode, another status and a missing Location end the chain."""
    request = JsRequest.new("http://do/")
    moved = JsResponse.redirect("http://do/new", 302)

    assert redirect_target(moved, JsRequest.new("http://do/", redirect="manual")) is None
    assert redirect_target(JsResponse.new(None, status=304, headers={"location": "/x"}), request) is None
    assert redirect_target(JsResponse.new(None, status=302), request) is None


def test_redirects_that_fail() -> None:
    """A Location that is no URL, and a body that came from a stream, end in a TypeError."""
    broken = JsResponse.new(None, status=302, headers={"location": "http://"})
    again = JsResponse.new(None, status=307, headers={"location": "/x"})
    streamed = JsRequest.new("http://do/", method="POST", body=JsReadableStream(b"x"))

    assert refusal(lambda: redirect_target(broken, JsRequest.new("http://do/"))) == (
        "TypeError: Invalid Location header; unable to follow redirect."
    )
    assert refusal(lambda: redirect_target(again, streamed)).startswith("TypeError: A request with a one-time-use body")


def test_authorization_stays_with_its_origin() -> None:
    """A redirect to another origin loses the Authorization header."""
    request = JsRequest.new("http://do/", headers={"Authorization": "a", "X": "1"})
    here = redirect_target(JsResponse.redirect("http://do/x"), request)
    there = redirect_target(JsResponse.redirect("http://other/x"), request)

    assert here is not None
    assert there is not None
    assert [r.headers.find("authorization") for r in (here, there)] == ["a", None]
    assert there.headers.find("x") == "1"
    assert isinstance(there.headers, JsHeaders)
