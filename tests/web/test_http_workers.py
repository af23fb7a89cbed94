"""The `workers` wrappers of HTTP: what a Python Worker writes and reads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from http import HTTPMethod, HTTPStatus
from http.client import HTTPMessage
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from dosim.web.body import JsReadableStream
from dosim.web.buffers import JsUint8Array
from dosim.web.errors import AbortError, BodyUsedError, JsException
from dosim.web.forms import JsBlob, JsFormData
from dosim.web.headers import JsHeaders
from dosim.web.http import JsRequest, JsResponse, deliver_request, deliver_response, redirect_target
from dosim.web.proxies import jsnull
from dosim.web.url import JsURL
from dosim.web.values import JsDict
from dosim.workers.forms import Blob, BlobEnding, File, FormData
from dosim.workers.http import (
    FetchResponse,
    HttpStatusError,
    PyodideFetchResponse,
    Request,
    Response,
    fetch_request,
    from_js,
)


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that must not suspend."""
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    return done.value.value


def caught(call: Callable[[], object]) -> list[str]:
    with pytest.raises(Exception) as error:  # noqa: PT011 (the class is what is looked at)
        call()
    return [type(error.value).__name__, str(error.value)]


def fetch(handler: Callable[[Request], Any], resource: object, **options: Any) -> Response:
    """A stub.fetch without a runtime: deliver, handle, answer, follow redirects."""
    request, redirected = fetch_request(resource, options), False
    while True:
        answer = handler(Request(deliver_request(request)))
        js_answer = answer if isinstance(answer, JsResponse) else answer.js_object
        target = redirect_target(js_answer, request)
        if target is None:
            return Response(deliver_response(js_answer, request, redirected=redirected))
        request, redirected = target, True


# -- the recorded projects


def test_request_seen_by_the_object() -> None:
    """The method is an enum equal to text, header names ignore case, the query stays in the URL [http_request_seen]."""

    def handler(request: Request) -> Response:
        url = urlparse(request.url)
        return Response.json(
            [
                request.method == "POST",
                str(request.method),
                type(request.method).__name__,
                url.path,
                parse_qs(url.query),
                request.headers.get("x-token"),
                request.headers.get("X-TOKEN"),
                request.headers.get("x-nope"),
                finished(request.text()),
            ]
        )

    seen = fetch(handler, "http://do/items/7?x=1&x=2", method="POST", headers={"X-Token": "t"}, body="hello")
    bare = fetch(handler, "http://do")

    assert finished(seen.json()) == [
        True,
        "POST",
        "HTTPMethod",
        "/items/7",
        {"x": ["1", "2"]},
        "t",
        "t",
        None,
        "hello",
    ]
    values = finished(bare.json())
    assert [values[3], values[1], values[8]] == ["/", "GET", ""]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda: Response("hello"), (200, "OK", True, "text/plain;charset=UTF-8", b"hello")),
        (lambda: Response(b"\x01\x02"), (200, "OK", True, None, b"\x01\x02")),
        (lambda: Response(None, status=204), (204, "No Content", True, None, b"")),
        (
            lambda: Response.json({"a": [1, None]}, status=201, headers={"X-A": "1"}),
            (201, "Created", True, "application/json", b'{"a": [1, null]}'),
        ),
        (
            lambda: Response("no coffee", status=418, status_text="Teapot", headers={"Content-Type": "text/html"}),
            (418, "Teapot", False, "text/html", b"no coffee"),
        ),
        (
            lambda: Response("not found", status=404),
            (404, "Not Found", False, "text/plain;charset=UTF-8", b"not found"),
        ),
    ],
)
def test_response_kinds(answer: Callable[[], Response], expected: tuple[object, ...]) -> None:
    """Status, status text, ok, Content-Type and bytes of each kind of Response [http_response_kinds]."""
    r = fetch(lambda _: answer(), "http://do/")

    assert (r.status, r.status_text, r.ok, r.headers.get("content-type"), finished(r.bytes())) == expected


def test_repeated_headers() -> None:
    """Repeated headers arrive joined by ", ", each Set-Cookie by itself [http_response_kinds]."""
    pairs = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Many", "1"), ("X-Many", "2")]
    r = fetch(lambda _: Response("x", headers=pairs), "http://do/")

    assert r.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert r.headers.get_all("x-many") == ["1, 2"]
    assert r.headers["X-MANY"] == "1, 2"
    assert isinstance(r.headers, HTTPMessage)


def test_redirects() -> None:
    """Redirects lead back into the object, relative ones too, unless redirect is manual [http_redirects]."""

    def handler(request: Request) -> Any:
        path = request.url.removeprefix("http://do")
        if path == "/old":
            return Response.redirect("http://do/new", 302)
        if path == "/moved":
            return Response(None, status=301, headers={"Location": "/new"})
        return Response(f"{request.method} {path}")

    out = []
    for path in ("/old", "/moved"):
        r = fetch(handler, "http://do" + path)
        out.append([r.status, finished(r.text()), r.url])
        r = fetch(handler, "http://do" + path, redirect="manual")
        out.append([r.status, r.headers.get("location")])

    assert out == [
        [200, "GET /new", "http://do/new"],
        [302, "http://do/new"],
        [200, "GET /new", "http://do/new"],
        [301, "/new"],
    ]
    assert finished(fetch(handler, "http://do/old", method="POST", body="x").text()) == "GET /new"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [None, True, 1.0, "é"]}, '{"b": 1, "a": [null, true, 1.0, "\\u00e9"]}'),
        ({1: "x"}, '{"1": "x"}'),
        ((1, 2), "[1, 2]"),
        (float("nan"), "NaN"),
        (JsDict(user=JsDict(name="ann")), '{"user": {"name": "ann"}}'),
    ],
)
def test_response_json_is_json_dumps(value: object, text: str) -> None:
    """Response.json follows Python's json [http_response_json_is_json_dumps]."""
    assert finished(Response.json(value).text()) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [({1}, "set"), (datetime(2026, 1, 1), "datetime"), (b"x", "bytes")],  # noqa: DTZ001
)
def test_response_json_refusals(value: object, kind: str) -> None:
    """What json refuses is refused with json's text [http_response_json_is_json_dumps]."""
    assert caught(lambda: Response.json(value)) == ["TypeError", f"Object of type {kind} is not JSON serializable"]


# -- Response


def test_second_read() -> None:
    """The second read is OSError for a Request and BodyUsedError for a Response (recorded)."""
    request = Request("http://do/", method="POST", body="x")
    response = Response("x")
    assert (finished(request.text()), finished(response.text())) == ("x", "x")

    assert request.body_used
    assert response.body_used
    assert caught(lambda: request.text().send(None)) == ["OSError", "Body already used"]
    assert caught(lambda: response.json().send(None)) == ["BodyUsedError", "Response body is already used"]
    assert caught(request.clone) == ["OSError", "Body already used"]
    assert caught(response.clone)[0] == BodyUsedError.__name__


def test_unsupported_bodies() -> None:
    """A body of another type is a TypeError that names it."""
    assert caught(lambda: Response({"a": 1})) == ["TypeError", "Unsupported type in Response: dict"]
    assert caught(lambda: Response(5)) == ["TypeError", "Unsupported type in Response: int"]
    assert caught(lambda: Response(memoryview(b"x"))) == ["TypeError", "Unsupported type in Response: memoryview"]
    assert caught(lambda: Response(JsURL.new("http://h"))) == ["TypeError", "Unsupported type in Response: URL"]
    assert caught(lambda: Response("x", headers=5)) == ["TypeError", "Received unexpected type for headers argument"]


def test_javascript_bodies() -> None:
    """JavaScript buffers, streams, forms and Python's FormData are bodies."""
    form = FormData({"a": "1"})

    assert finished(Response(JsUint8Array(b"u")).bytes()) == b"u"
    assert finished(Response(JsReadableStream(b"s")).text()) == "s"
    assert finished(Response(JsBlob.new(["b"])).text()) == "b"
    assert finished(Response(form).form_data())["a"] == "1"


def test_status_of_a_response() -> None:
    """A bad status is a RangeError of JavaScript in the constructor and a ValueError in Response.json (recorded)."""
    text = "Responses may only be constructed with status codes in the range 200 to 599, inclusive."

    assert caught(lambda: Response("x", status=700)) == ["JsException", f"RangeError: {text}"]
    assert caught(lambda: Response.json({}, {"status": 201})) == ["ValueError", text]
    assert Response("x", status=HTTPStatus.CREATED).status == 201
    assert Response("x", status=0).status == 200


def test_response_around_a_javascript_response() -> None:
    """A js.Response is wrapped as it is and takes no options."""
    js = JsResponse.new("x", status=201)

    assert Response(js).js_object is js
    assert caught(lambda: Response(js, status=200)) == [
        "ValueError",
        "Expected no options when constructing Response from a js.Response",
    ]


def test_response_repr() -> None:
    """The repr is the SDK's."""
    assert repr(Response.json([1])) == "Response(status=200, status_text='OK', content_type='application/json')"
    fetched = fetch(lambda _: Response(b"x"), "http://do/a")
    assert repr(fetched) == "Response(status=200, status_text='OK', url='http://do/a')"


def test_response_json_content_type() -> None:
    """Response.json keeps a Content-Type that was given; js values are written by JavaScript."""
    assert Response.json("x", headers={"Content-Type": "42"}).headers.get("content-type") == "42"
    assert Response.json("x", headers=[("a", "b")]).headers.get("content-type") == "application/json"
    assert Response.from_json([1], status=HTTPStatus.NOT_FOUND).status == 404


def test_static_redirect() -> None:
    """Response.redirect gives the JavaScript Response; its errors are Python's."""
    response = Response.redirect("http://do/new", HTTPStatus.MOVED_PERMANENTLY)

    assert isinstance(response, JsResponse)
    assert response.status == 301
    assert caught(lambda: Response.redirect("http://do/", 200))[0] == "ValueError"
    assert caught(lambda: Response.redirect("/new")) == ["TypeError", "Unable to parse URL: /new"]


def test_replace_body() -> None:
    """replace_body keeps status and headers."""
    response = Response("a", status=201, status_text="Made", headers={"x": "y"}).replace_body("b")

    assert (response.status, response.status_text, response.headers["x"]) == (201, "Made", "y")
    assert finished(response.text()) == "b"


def test_clone_is_the_class_of_pyodide() -> None:
    """clone() gives pyodide.http.FetchResponse, whose headers are a plain dict."""
    response = Response("x", headers={"A": "b"})
    copy = response.clone()

    assert (finished(response.text()), finished(copy.text())) == ("x", "x")
    assert type(copy) is PyodideFetchResponse
    assert not isinstance(copy, FetchResponse)
    assert type(copy).__name__ == "FetchResponse"
    assert copy.headers == {"a": "b", "content-type": "text/plain;charset=UTF-8"}


def test_other_reads_of_a_response() -> None:
    """buffer, memoryview, blob and string read the same bytes; a body is a stream or None."""
    assert finished(Response("x").buffer()).to_bytes() == b"x"
    assert bytes(finished(Response("x").memoryview())) == b"x"
    assert finished(Response("x").string()) == "x"
    blob = finished(Response("x").blob())
    assert (type(blob), blob.content_type) == (Blob, "text/plain;charset=UTF-8")
    assert Response(None).body is None
    assert Request("http://do/").body is jsnull
    assert isinstance(Response("x").body, JsReadableStream)


def test_form_errors_are_python_errors() -> None:
    """form_data of a body that is no form is a TypeError."""
    assert caught(lambda: Response("x").form_data().send(None))[0] == "TypeError"
    assert caught(lambda: Request("http://do/").form_data().send(None)) == [
        "TypeError",
        "Parsing a Body as FormData requires a Content-Type header.",
    ]


def test_locked_body_is_an_abort_error() -> None:
    """A JavaScript error while reading a Response is Pyodide's AbortError."""
    response = Response("x")
    assert response.body is not None
    response.body.getReader()

    assert caught(lambda: response.text().send(None))[0] == AbortError.__name__


def test_raise_for_status() -> None:
    """raise_for_status tells client from server errors."""
    Response("x").raise_for_status()

    assert caught(Response("x", status=404).raise_for_status) == [
        "HttpStatusError",
        "404 Client Error: Not Found for url: ",
    ]
    with pytest.raises(HttpStatusError, match="503 Server Error"):
        Response("x", status=503).raise_for_status()


def test_web_socket_is_on_the_javascript_side() -> None:
    """A WebSocket is read from js_object; the wrapper has no attribute for it."""
    socket = object()
    response = Response(None, status=101, web_socket=socket)

    assert response.js_object.webSocket is socket
    assert not hasattr(response, "web_socket")


# -- Request


def test_request_surface() -> None:
    """A Request has the SDK's names, types and repr."""
    request = Request("https://test.com", method=HTTPMethod.POST, headers={"a": "b"}, body="{}")

    assert repr(request) == "Request(method='POST', url='https://test.com/')"
    assert request.method is HTTPMethod.POST
    assert (request.redirect, request.cf, request.integrity, request.keepalive) == ("follow", None, "", False)
    assert request.js_object.constructor.name == "Request"
    assert not hasattr(request, "credentials")
    assert finished(request.clone().json()) == {}
    assert type(finished(request.json())) is dict


def test_request_around_a_javascript_request() -> None:
    """A js.Request is wrapped as it is and takes no options; a Request of Python is copied."""
    js = JsRequest.new("http://do/", method="POST", body="x")

    assert Request(js).js_object is js
    assert caught(lambda: Request(js, method="GET")) == [
        "ValueError",
        "Expected no options when constructing Request from a js.Request",
    ]
    copy = Request(Request(js), headers={"c": "d"})
    assert (copy.method, copy.headers["c"], finished(copy.bytes()), js.bodyUsed) == ("POST", "d", b"x", True)


def test_request_headers_argument() -> None:
    """headers is a dict, a list or js.Headers, not another request's headers."""
    first = Request("http://do/", headers=JsHeaders.new([("Accept", "a"), ("Accept", "b, c")]))

    assert first.headers.get_all("accept") == ["a, b, c"]
    assert caught(lambda: Request("http://do/", headers=first.headers)) == [
        "TypeError",
        "Received unexpected type for headers argument",
    ]


def test_request_errors() -> None:
    """What JavaScript refuses is raised as it is."""
    with pytest.raises(JsException, match="Invalid URL: /items"):
        Request("/items")
    with pytest.raises(JsException, match="cannot have a body"):
        Request("http://do/", body="x")


def test_fetch_of_a_wrapped_request() -> None:
    """fetch takes a workers.Request, whose body it uses up, and Python's FormData."""
    request = Request("http://do/", method="POST", body="x")
    sent = fetch_request(request, {})
    form = fetch_request("http://do/", {"method": HTTPMethod.POST, "body": FormData({"a": "1"})})

    assert (request.body_used, finished(sent.text())) == (True, "x")
    assert finished(form.formData()).get("a") == "1"


# -- forms


def test_form_data() -> None:
    """FormData is a mapping with repeats; values that are Blobs are wrapped."""
    js = JsFormData.new()
    js.append("n", 123)
    js.append("k", "a")
    js.append("k", "b")
    data = FormData(js)
    data["blob"] = Blob(["text"], content_type="t/x")
    data.append("named", Blob("y"), filename="y.txt")

    assert (data["n"], data.get_all("k"), "k" in data, "nope" in data) == ("123", ["a", "b"], True, False)
    assert data["nope"] is jsnull
    assert list(data) == ["n", "k", "k", "blob", "named"]
    assert isinstance(data["blob"], File)
    assert (finished(data["blob"].text()), data["blob"].content_type, data["named"].name) == ("text", "t/x", "y.txt")
    assert dict(data.items())["k"] == "b"
    del data["k"]
    assert list(data.values())[0] == "123"  # noqa: RUF015
    assert caught(lambda: data.__setitem__("k", ["a"]))[0] == "TypeError"
    assert caught(lambda: FormData(5)) == [
        "TypeError",
        "Expected form_data to be a dict or an instance of FormData",
    ]


def test_blob_and_file() -> None:
    """A Blob inherits its type from a single Blob, not from a list; a File has a name and a time."""
    blob = Blob(["te", b"st", memoryview(b"!")], content_type="application/json")

    assert (blob.size, blob.content_type, finished(blob.bytes())) == (5, "application/json", b"test!")
    assert finished(blob.slice(1, 3).text()) == "es"
    assert (Blob(blob).content_type, Blob([blob]).content_type) == ("application/json", "")
    assert Blob(blob, content_type="o/t").content_type == "o/t"
    file = File("my file", filename="t.txt", content_type="text/plain", last_modified=5)
    again = File(file, "u.txt")
    assert (again.name, again.last_modified, again.content_type) == ("u.txt", 5, "text/plain")
    assert File("x", "y").last_modified == 0


def test_parts_that_are_no_blob() -> None:
    """A part of another type is refused, a bare memoryview is taken apart as the SDK does."""
    assert caught(lambda: Blob(5)) == ["TypeError", "Don't know how to handle <class 'int'> for Blob()"]
    assert caught(lambda: Blob(memoryview(b"x"))) == ["TypeError", "Don't know how to handle <class 'int'> for Blob()"]
    assert caught(lambda: Blob("x", endings=BlobEnding.NATIVE))[0] == "JsException"


# -- RPC


def test_transfer_keeps_the_wrapper() -> None:
    """A value sent by RPC arrives as the same class, independent of the sent one."""
    for value in (
        Response("x"),
        Request("http://do/", method="POST", body="x"),
        Blob("x"),
        File("x", "n"),
        FormData({"a": "x"}),
    ):
        copy = value.transfer()
        assert type(copy) is type(value)
        assert copy.js_object is not value.js_object
    used = Response("x")
    finished(used.text())
    assert caught(used.transfer)[1].startswith("TypeError: Body has already been used.")


def test_wrapping_javascript_values() -> None:
    """from_js gives each JavaScript value its wrapper and leaves the rest alone."""
    values = [JsResponse.new("x"), JsRequest.new("http://do/"), JsFormData.new(), JsBlob.new(["x"]), 5]

    assert [type(from_js(v)) for v in values] == [Response, Request, FormData, Blob, int]
