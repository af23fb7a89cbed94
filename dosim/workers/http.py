"""`Request`, `Response` and `FetchResponse` of Cloudflare's `workers` module: Python wrappers of JavaScript values.

Source of the behaviour: workers-runtime-sdk 1.9.5 and Pyodide's `pyodide.http`, observed in workerd 2026-11-17.
`PyodideFetchResponse` is `pyodide.http.FetchResponse`, the class below `FetchResponse`: `response.clone()` returns one.
"""

from __future__ import annotations

import builtins
import http.client
import json
from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any

from dosim.web.body import TEXT, JsReadableStream
from dosim.web.buffers import BUFFER_NAMES, JsArrayBuffer
from dosim.web.errors import AbortError, BodyUsedError, JsException, noted
from dosim.web.forms import JsBlob, JsFormData
from dosim.web.headers import JsHeaders
from dosim.web.http import JsRequest, JsResponse, request_from_fetch_args, text_response
from dosim.web.interface import interface_name
from dosim.web.proxies import JsNull
from dosim.workers.forms import Blob, FormData, python_error, wrap_blob

#: The JavaScript types a `Response` is made of. Source: SDK 1.9.5, RESPONSE_ACCEPTED_TYPES.
RESPONSE_ACCEPTED_TYPES = BUFFER_NAMES | {"Blob", "FormData", "ReadableStream", "URLSearchParams", "Response"}
#: Types that are no JavaScript values.
_PLAIN = frozenset((dict, list, str, int, float, bool, type(None)))


class HTTPMessageMapping(http.client.HTTPMessage, Mapping):  # type: ignore[type-arg, misc]
    """Headers in Python: a mapping whose names have no case, with `get_all` for repeated ones."""


class HttpStatusError(OSError):
    """What `raise_for_status` raises: `status`, `status_text` and `url` of the response."""

    def __init__(self, status: int, status_text: str, url: str) -> None:
        self.status = status
        self.status_text = status_text
        self.url = url
        side = "Client" if status < 500 else "Server"
        super().__init__(f"{status} {side} Error: {status_text} for url: {url}")


HttpStatusError.__module__ = "pyodide.http"


def http_message(headers: JsHeaders) -> HTTPMessageMapping:
    """JavaScript headers as Python has them: repeated ones joined, each Set-Cookie of its own, those first."""
    message = HTTPMessageMapping()
    for value in headers.getSetCookie():
        message["Set-Cookie"] = value
    for name, value in headers:
        if name != "set-cookie":
            message[name] = value
    return message


def js_headers(headers: object) -> JsHeaders:
    """JavaScript headers from a dict, a list of pairs or `js.Headers`. Raises TypeError for anything else."""
    if isinstance(headers, JsHeaders):
        return headers
    if isinstance(headers, (list, dict)):
        return JsHeaders.new(headers)
    raise TypeError("Received unexpected type for headers argument")


def js_body(body: object) -> object:
    """A body as JavaScript gets it: a `FormData` of Python is unwrapped."""
    return body.js_object if isinstance(body, FormData) else body


class PyodideFetchResponse:
    """A fetched response as Pyodide wraps it. A second read raises BodyUsedError."""

    def __init__(self, url: str, js_response: JsResponse) -> None:
        self._url = url
        self.js_response = js_response

    @property
    def body_used(self) -> bool:
        return self.js_response.bodyUsed

    @property
    def headers(self) -> Any:
        """A plain dict here, names in lower case; `workers.Response` has a message instead."""
        return dict(self.js_response.headers.entries())

    @property
    def ok(self) -> bool:
        return self.js_response.ok

    @property
    def redirected(self) -> bool:
        return self.js_response.redirected

    @property
    def status(self) -> int:
        return self.js_response.status

    @property
    def status_text(self) -> str:
        return self.js_response.statusText

    @property
    def type(self) -> str:
        return self.js_response.type

    @property
    def url(self) -> str:
        return self.js_response.url

    def _raise_if_failed(self) -> None:
        if self.js_response.bodyUsed:
            raise BodyUsedError("Response body is already used")

    def raise_for_status(self) -> None:
        """Raises HttpStatusError for a status from 400 to 599."""
        if 400 <= self.status < 600:
            raise HttpStatusError(self.status, self.status_text, self.url)

    def clone(self) -> PyodideFetchResponse:
        self._raise_if_failed()
        return PyodideFetchResponse(self._url, self.js_response.clone())

    async def buffer(self) -> JsArrayBuffer:
        """Raises AbortError, as Pyodide does, for what the JavaScript read raises; so does `text`."""
        self._raise_if_failed()
        try:
            return await self.js_response.arrayBuffer()
        except JsException as error:
            raise AbortError(error.message) from None

    async def text(self) -> str:
        self._raise_if_failed()
        try:
            return await self.js_response.text()
        except JsException as error:
            raise AbortError(error.message) from None

    async def string(self) -> str:
        """The old name of `text`."""
        return await self.text()

    async def json(self, **kwargs: Any) -> Any:
        """The body parsed by `json.loads`, which gets the keyword arguments."""
        self._raise_if_failed()
        return json.loads(await self.text(), **kwargs)

    async def memoryview(self) -> builtins.memoryview:
        self._raise_if_failed()
        return (await self.buffer()).to_memoryview()

    async def bytes(self) -> builtins.bytes:
        self._raise_if_failed()
        return (await self.buffer()).to_bytes()

    def transfer(self) -> PyodideFetchResponse:
        return Response(self.js_response.transfer())


PyodideFetchResponse.__name__ = PyodideFetchResponse.__qualname__ = "FetchResponse"
PyodideFetchResponse.__module__ = "pyodide.http"


class FetchResponse(PyodideFetchResponse):
    """What `workers` adds to a fetched response: `body`, `js_object`, forms, Blobs, headers as a message."""

    @property
    def body(self) -> JsReadableStream | None:
        return self.js_response.stream

    @property
    def js_object(self) -> JsResponse:
        return self.js_response

    @property
    def headers(self) -> HTTPMessageMapping:
        return http_message(self.js_response.headers)

    async def formData(self) -> FormData:
        """The old name of `form_data`."""
        return await self.form_data()

    async def form_data(self) -> FormData:
        """Raises TypeError if the body is no form."""
        self._raise_if_failed()
        try:
            return FormData(await self.js_response.formData())
        except JsException as error:
            raise python_error(error) from error

    def replace_body(self, body: object) -> Response:
        """A new Response with this status and these headers and another body."""
        return Response(JsResponse.new(js_body(body), self.js_response))

    async def blob(self) -> Blob:
        self._raise_if_failed()
        return wrap_blob(await self.js_response.blob())

    @staticmethod
    def redirect(url: str, status: HTTPStatus | int = HTTPStatus.FOUND) -> JsResponse:
        """A redirect to an absolute URL, as the JavaScript value it is. Raises ValueError, TypeError."""
        try:
            return JsResponse.redirect(url, status.value if isinstance(status, HTTPStatus) else status)
        except JsException as error:
            raise python_error(error) from error

    @staticmethod
    def from_json(
        data: object,
        status: HTTPStatus | int = HTTPStatus.OK,
        status_text: str = "",
        headers: object = None,
    ) -> Response:
        """A Response of `json.dumps(data)`. Raises ValueError for a status outside 200 to 599."""
        if status is HTTPStatus.OK and not status_text and headers is None and type(data) in _PLAIN:
            return _wrap_response(text_response(json.dumps(data), "application/json"))
        options = response_options(status, status_text, headers)
        try:
            if interface_name(data) is not None:
                return Response(JsResponse.json(data, **options))
            merged: JsHeaders = options.setdefault("headers", JsHeaders())
            if not merged.has("content-type"):
                merged.set("content-type", "application/json")
            return Response(JsResponse.new(json.dumps(data), **options))
        except JsException as error:
            raise python_error(error) from error

    def json(self, *args: Any, **kwargs: Any) -> Any:
        """`await response.json()` reads; `Response.json(data, ...)` is `from_json`."""
        if isinstance(self, Response):
            return super().json()
        return Response.from_json(self, *args, **kwargs)


FetchResponse.__module__ = "workers.response"


class Response(FetchResponse):
    """The answer to a request.

    `body` is text, bytes, FormData or a JavaScript body; a JavaScript Response is wrapped as it is, without options.
    Raises TypeError for another body, JsException named RangeError for a status outside 200 to 599.
    """

    def __init__(
        self,
        body: object = None,
        status: HTTPStatus | int | None = None,
        status_text: str = "",
        headers: object = None,
        web_socket: object = None,
    ) -> None:
        if type(body) is str and status is None and not status_text and headers is None and web_socket is None:
            self._url = ""
            self.js_response = text_response(body, TEXT)
            return
        if isinstance(body, JsResponse):
            if status is not None or len(status_text) > 0 or headers is not None:
                raise ValueError("Expected no options when constructing Response from a js.Response")
            super().__init__(body.url, body)
            return
        if body is not None and not isinstance(body, (str, bytes, FormData)):
            js_name = interface_name(body)
            if js_name not in RESPONSE_ACCEPTED_TYPES:
                raise noted(
                    TypeError(f"Unsupported type in Response: {js_name or type(body).__name__}"),
                    "A body is a text, bytes, FormData or a stream; data as JSON is Response.json(data).",
                )
        options = response_options(status, status_text, headers, web_socket)
        super().__init__("", JsResponse.new(js_body(body), **options))

    def __repr__(self) -> str:
        js = self.js_response
        parts = [f"status={self.status}"]
        if js.statusText:
            parts.append(f"status_text={self.status_text!r}")
        if js.headers.has("content-type"):
            parts.append(f"content_type={js.headers.find('content-type')!r}")
        if js.url:
            parts.append(f"url={js.url!r}")
        if js.type != "default":
            parts.append(f"type={js.type!r}")
        return f"Response({', '.join(parts)})"

    def transfer(self) -> Response:
        return Response(self.js_response.transfer())


Response.__module__ = "workers.response"


def response_options(
    status: HTTPStatus | int | None = HTTPStatus.OK,
    status_text: str = "",
    headers: object = None,
    web_socket: object = None,
) -> dict[str, Any]:
    """The options of a JavaScript Response; what is empty or 0 is left out."""
    options: dict[str, Any] = {}
    if status:
        options["status"] = status.value if isinstance(status, HTTPStatus) else status
    if status_text:
        options["statusText"] = status_text
    if headers:
        options["headers"] = js_headers(headers)
    if web_socket:
        options["webSocket"] = web_socket
    return options


def _wrap_response(js_response: JsResponse) -> Response:
    """`Response(js_response)`, without looking at what it is."""
    response = Response.__new__(Response)
    response._url = js_response.url
    response.js_response = js_response
    return response


class Request:
    """A request: made from a URL and options, from another Request, or around a JavaScript Request.

    Options: method (text or HTTPMethod), headers, body, redirect, cf. A second read raises OSError "Body already used".
    """

    def __init__(self, input: object, **other_options: Any) -> None:  # noqa: A002 (the SDK's name)
        if isinstance(input, JsRequest):
            if other_options:
                raise ValueError("Expected no options when constructing Request from a js.Request")
            self._js_request = input
            return
        method = other_options.get("method")
        if isinstance(method, HTTPMethod):
            other_options["method"] = method.value
        if "headers" in other_options:
            other_options["headers"] = js_headers(other_options["headers"])
        body = other_options.pop("body", None)
        if body is not None:
            other_options["body"] = js_body(body)
        source = input._js_request if isinstance(input, Request) else input
        self._js_request = JsRequest.new(source, **other_options)

    def __repr__(self) -> str:
        return f"Request(method={self._js_request.method!r}, url={self._js_request.url!r})"

    @property
    def js_object(self) -> JsRequest:
        return self._js_request

    @property
    def body(self) -> JsReadableStream | JsNull:
        """The stream as JavaScript has it: `jsnull` when there is none, unlike `Response.body`."""
        return self._js_request.body

    @property
    def body_used(self) -> bool:
        return self._js_request.bodyUsed

    @property
    def cf(self) -> Any:
        return self._js_request.cf

    @property
    def headers(self) -> HTTPMessageMapping:
        return http_message(self._js_request.headers)

    @property
    def method(self) -> HTTPMethod:
        return HTTPMethod[self._js_request.method]

    @property
    def redirect(self) -> str:
        return self._js_request.redirect

    @property
    def url(self) -> str:
        return self._js_request.url

    @property
    def cache(self) -> str | None:
        return self._js_request.cache

    @property
    def integrity(self) -> str:
        return self._js_request.integrity

    @property
    def keepalive(self) -> bool:
        return self._js_request.keepalive

    @property
    def credentials(self) -> str:
        return self._missing("credentials")

    @property
    def destination(self) -> str:
        return self._missing("destination")

    @property
    def is_history_navigation(self) -> str:
        return self._missing("isHistoryNavigation")

    @property
    def mode(self) -> str:
        return self._missing("mode")

    @property
    def referrer(self) -> str:
        return self._missing("referrer")

    @property
    def referrer_policy(self) -> str:
        return self._missing("referrerPolicy")

    def _missing(self, name: str) -> str:
        """The SDK reads what the runtime's Request does not have."""
        raise AttributeError(name)

    def _raise_if_failed(self) -> None:
        if self.body_used:
            raise OSError("Body already used")

    async def buffer(self) -> JsArrayBuffer:
        self._raise_if_failed()
        return await self._js_request.arrayBuffer()

    async def form_data(self) -> FormData:
        """Raises TypeError if the body is no form."""
        self._raise_if_failed()
        try:
            return FormData(await self._js_request.formData())
        except JsException as error:
            raise python_error(error) from error

    async def blob(self) -> Blob:
        self._raise_if_failed()
        return wrap_blob(await self._js_request.blob())

    async def bytes(self) -> builtins.bytes:
        return (await self.buffer()).to_bytes()

    def clone(self) -> Request:
        self._raise_if_failed()
        return Request(self._js_request.clone())

    async def json(self, **kwargs: Any) -> Any:
        """The body parsed by `json.loads`: plain dicts and lists."""
        return json.loads(await self.text(), **kwargs)

    async def text(self) -> str:
        self._raise_if_failed()
        return await self._js_request.text()

    def transfer(self) -> Request:
        return Request(self._js_request.transfer())


Request.__module__ = "workers.request"


def fetch_request(resource: object, options: Mapping[str, Any]) -> JsRequest:
    """The Request that `workers.fetch(resource, **options)` and `stub.fetch` send. Raises JsException."""
    method = options.get("method")
    if isinstance(method, HTTPMethod):
        options = {**options, "method": method.value}
    return request_from_fetch_args(resource, options)


def from_js(value: object) -> object:
    """A JavaScript value as the SDK wraps it; anything it has no wrapper for is returned as it is."""
    if isinstance(value, JsResponse):
        return _wrap_response(value)
    if isinstance(value, JsRequest):
        request = Request.__new__(Request)
        request._js_request = value
        return request
    if isinstance(value, JsFormData):
        return FormData(value)
    return wrap_blob(value) if isinstance(value, JsBlob) else value
