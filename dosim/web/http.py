"""Request and Response of JavaScript as plain Python values, and the rules of fetch around them.

Behaviour and texts follow workerd's api/http.c++ of August 2026 at compatibility date 2026-11-01. On the way between
two sides the lead parts are `deliver_request` and `deliver_response`: what the other side sees is not what was sent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from dosim.web.body import BODY_USED, TEXT, JsBody, JsReadableStream, extract_body
from dosim.web.buffers import buffer_bytes
from dosim.web.errors import JsException, type_error
from dosim.web.forms import options_of
from dosim.web.headers import JsHeaders
from dosim.web.interface import argument_int, argument_text, interface_name, utf8
from dosim.web.proxies import jsnull, raw
from dosim.web.url import normal_url, parse_url
from dosim.web.values import clone, js_text

REDIRECT_STATUSES = frozenset((301, 302, 303, 307, 308))
NULL_BODY_STATUSES = frozenset((101, 204, 205, 304))
_METHODS = frozenset(
    "GET HEAD POST PUT DELETE PATCH PURGE OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK ACL "
    "REPORT MKACTIVITY CHECKOUT MERGE MSEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE QUERY BAN".split()
)
REQUEST_OPTIONS = ("method", "headers", "body", "redirect", "cf", "cache", "signal")
_RESPONSE_OPTIONS = ("status", "statusText", "headers", "webSocket", "cf")
_NO_BODY = "Request with a GET or HEAD method cannot have a body."
_BAD_REDIRECT = (
    'Invalid redirect value, must be one of "follow" or "manual" ("error" won\'t be implemented since it does not make '
    'sense at the edge; use "manual" and check the response status code).'
)
_NULL_BODY = "Response with null body status (101, 204, 205, or 304) cannot have a body."
_ONE_TIME_BODY = (
    "A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect "
    "requiring the body to be retransmitted. To avoid this error in the future, construct this request from a "
    "buffer-like body initializer."
)
_NO_UPGRADE = (
    "Worker tried to return a WebSocket in a response to a request which did not contain the header "
    '"Upgrade: websocket".'
)

# fmt: off
_STATUS_TEXTS = {
    100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints", 200: "OK", 201: "Created",
    202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content",
    206: "Partial Content", 207: "Multi-Status", 208: "Already Reported", 226: "IM Used", 300: "Multiple Choices",
    301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 305: "Use Proxy",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required",
    412: "Precondition Failed", 413: "Payload Too Large", 414: "URI Too Long", 415: "Unsupported Media Type",
    416: "Range Not Satisfiable", 417: "Expectation Failed", 418: "I'm a teapot", 421: "Misdirected Request",
    422: "Unprocessable Entity", 423: "Locked", 424: "Failed Dependency", 426: "Upgrade Required",
    428: "Precondition Required", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
    506: "Variant Also Negotiates", 507: "Insufficient Storage", 508: "Loop Detected", 510: "Not Extended",
    511: "Network Authentication Required",
}
_STATUS_CLASSES = {2: "Successful", 3: "Redirection", 4: "Client Error", 5: "Server Error"}
# fmt: on


def default_status_text(status: int) -> str:
    """The reason phrase of a status, that of its class if it has none."""
    return _STATUS_TEXTS.get(status) or _STATUS_CLASSES.get(status // 100, "")


class JsRequest(JsBody):
    """`js.Request`. Making one from another Request takes that one's body away."""

    js_name = "Request"
    __slots__ = ("cache", "cf", "method", "redirect", "signal", "url")

    integrity = ""
    keepalive = False

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: JsHeaders | None = None,
        stream: JsReadableStream | None = None,
        *,
        redirect: str = "follow",
        cf: object = None,
        cache: str | None = None,
        signal: object = None,
    ) -> None:
        self._headers = headers
        self._stream = stream
        self._content_type = None
        self._arrived = False
        self.url = url
        self.method = method
        self.redirect = redirect
        self.cf = cf
        self.cache = cache
        self.signal = signal

    @classmethod
    def new(cls, source: object, init: object = None, **options: object) -> JsRequest:
        """A Request for a URL or like another Request; options: method, headers, body, redirect, cf, cache, signal.

        Raises TypeError for a URL that is not absolute, an unknown method or redirect mode, a GET with a body.
        """
        given = options_of(init, options, REQUEST_OPTIONS)
        body = given.get("body")
        if isinstance(source, JsRequest):
            self = cls._like(source, take_body=body is None)
        else:
            self = cls(_absolute(source if type(source) is str else argument_text(source)))
        if not given:
            return self
        self._apply(given)
        stream, content_type = extract_body(body)
        if stream is not None:
            self._stream = stream
            if content_type is not None:
                self.headers.add_missing("content-type", content_type)
        changed = body is not None or given.get("method") is not None
        if changed and self._stream is not None and self.method in ("GET", "HEAD"):
            raise type_error(_NO_BODY)
        return self

    @classmethod
    def _like(cls, other: JsRequest, *, take_body: bool) -> JsRequest:
        stream = None
        if take_body and other._stream is not None:
            if other.bodyUsed:
                raise type_error("Cannot reconstruct a Request with a used body.")
            stream = other._stream.detach()
        return other._copy(JsHeaders.new(other.headers), stream)

    def _apply(self, given: dict[str, Any]) -> None:
        if (method := given.get("method")) is not None:
            self.method = _method(argument_text(method))
        if (headers := given.get("headers")) is not None:
            self._headers = JsHeaders.new(headers)
        if (redirect := given.get("redirect")) is not None:
            self.redirect = argument_text(redirect).lower()
            if self.redirect not in ("follow", "manual"):
                raise type_error(_BAD_REDIRECT)
        if (cf := given.get("cf")) is not None:
            self.cf = raw(clone(cf))
        if (cache := given.get("cache")) is not None:
            self.cache = argument_text(cache)
            if self.cache not in ("no-store", "no-cache", "reload"):
                raise type_error(f"Unsupported cache mode: {self.cache}")
        if (signal := given.get("signal")) is not None:
            self.signal = signal

    def _copy(self, headers: JsHeaders, stream: JsReadableStream | None) -> JsRequest:
        return JsRequest(
            self.url,
            self.method,
            headers,
            stream,
            redirect=self.redirect,
            cf=self.cf,
            cache=self.cache,
            signal=self.signal,
        )

    def clone(self) -> JsRequest:
        """A second Request with a body of its own. Raises TypeError if the body has been used."""
        return self._copy(self.headers.clone(), self.clone_stream())

    def transfer(self) -> JsRequest:
        """The Request on the other side of an RPC; its body is used up here."""
        return self._copy(JsHeaders.new(self.headers), self.send_stream())


class JsResponse(JsBody):
    """`js.Response`. `webSocket` is None unless it answers a WebSocket handshake (status 101)."""

    js_name = "Response"
    __slots__ = ("_status_text", "cf", "redirected", "status", "url", "webSocket")

    def __init__(
        self,
        status: int = 200,
        headers: JsHeaders | None = None,
        stream: JsReadableStream | None = None,
        *,
        status_text: str | None = None,
        web_socket: Any = None,
        cf: object = None,
        url: str = "",
        redirected: bool = False,
    ) -> None:
        self._headers = headers
        self._stream = stream
        self._content_type = None
        self._arrived = False
        self.status = status
        self._status_text = status_text
        self.webSocket = web_socket
        self.cf = cf
        self.url = url
        self.redirected = redirected

    @property
    def statusText(self) -> str:
        return default_status_text(self.status) if self._status_text is None else self._status_text

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def type(self) -> str:
        return "error" if self.status == 0 else "default"

    @classmethod
    def new(cls, body: object = None, init: object = None, **options: object) -> JsResponse:
        """A Response; options: status, statusText, headers, webSocket, cf, or another Response in their place.

        Raises RangeError for a status outside 200 to 599 (101 with a WebSocket), TypeError for a body that the status
        does not allow or for control characters in the status text.
        """
        if type(body) is str and init is None and not options:
            return text_response(body, TEXT)
        if isinstance(init, JsResponse):
            status, status_text, headers = init.status, init._custom_status_text, JsHeaders.new(init.headers)
            web_socket, cf = init.webSocket, init.cf
        else:
            given = options_of(init, options, _RESPONSE_OPTIONS)
            status_option, text_option = given.get("status"), given.get("statusText")
            status = 200 if status_option is None else argument_int(status_option)
            status_text = None if text_option is None else argument_text(text_option)
            headers = JsHeaders.new(given.get("headers"))
            web_socket, cf = given.get("webSocket") or None, given.get("cf")
        _check_status(status, web_socket)
        if status_text is not None and any(c < " " for c in status_text):
            raise type_error("Invalid statusText")
        stream, content_type = extract_body(body)
        if stream is not None and status in NULL_BODY_STATUSES:
            if not stream.rewindable or stream.data:
                raise type_error(_NULL_BODY)
            stream, content_type = None, None
        if content_type is not None:
            headers.add_missing("content-type", content_type)
        return cls(status, headers, stream, status_text=status_text, web_socket=web_socket, cf=cf)

    @property
    def _custom_status_text(self) -> str | None:
        text = self._status_text
        return None if text is None or text == default_status_text(self.status) else text

    @classmethod
    def error(cls) -> JsResponse:
        """The network error: status 0."""
        return cls(0)

    @classmethod
    def redirect(cls, url: object, status: object = None) -> JsResponse:
        """A redirect to an absolute URL. Raises RangeError for another status, TypeError for another URL."""
        code = 302 if status is None else argument_int(status)
        if code not in REDIRECT_STATUSES:
            raise JsException(
                f"{code} is not a redirect status code. It must be one of: 301, 302, 303, 307, or 308.", "RangeError"
            )
        text = argument_text(url)
        href = normal_url(text)
        if href is None:
            raise type_error(f"Unable to parse URL: {text}")
        headers = JsHeaders.new({"location": href})
        headers.immutable = True
        return cls(code, headers)

    # As in JavaScript `json` is a static method of the class and, by the same name, a reading method of an instance.
    def json(self: Any, init: object = None, **options: object) -> Any:
        """`response.json()` reads the body; `Response.json(data, **options)` makes a Response of JSON."""
        return JsBody.json(self) if isinstance(self, JsResponse) else _json_response(self, init, options)

    def clone(self) -> JsResponse:
        """A second Response with a body of its own. Raises TypeError for a used body or a WebSocket."""
        if self.webSocket is not None:
            raise type_error("Cannot clone a response to a WebSocket handshake.")
        return JsResponse(
            self.status,
            self.headers.clone(),
            self.clone_stream(),
            status_text=self._status_text,
            cf=self.cf,
            url=self.url,
            redirected=self.redirected,
        )

    def transfer(self) -> JsResponse:
        """The Response on the other side of an RPC; its body is used up here."""
        return JsResponse(
            self.status,
            JsHeaders.new(self.headers),
            self.send_stream(),
            status_text=self._custom_status_text,
            web_socket=self.webSocket,
            cf=self.cf,
        )


def text_response(text: str, content_type: str) -> JsResponse:
    """The commonest Response: status 200, a text, nothing else."""
    response = JsResponse(200, None, JsReadableStream(utf8(text), True))
    response._content_type = content_type
    return response


def _absolute(text: str) -> str:
    href = normal_url(text)
    if href is None:
        raise type_error(f"Invalid URL: {text}")
    return href


def _method(text: str) -> str:
    method = text.upper()
    if method not in _METHODS:
        raise type_error(f"Invalid HTTP method string: {text}")
    return method


def _check_status(status: int, web_socket: object) -> None:
    if web_socket is None:
        if not 200 <= status <= 599:
            raise JsException(
                "Responses may only be constructed with status codes in the range 200 to 599, inclusive.", "RangeError"
            )
    elif status != 101:
        raise JsException("Responses with a WebSocket must have status code 101.", "RangeError")


def _json_response(data: object, init: object, options: dict[str, object]) -> JsResponse:
    response = JsResponse.new(utf8(stringify(data)), init, **options)
    response.headers.add_missing("content-type", "application/json")
    return response


def stringify(data: object) -> str:
    """`JSON.stringify(data)`: no spaces, NaN is null, 1.0 is 1, undefined fields are left out."""
    return json.dumps(_plain(data), separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if value is jsnull:
        return None
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return {js_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    to_py = getattr(value, "to_py", None)
    return _plain(to_py()) if callable(to_py) else {}


# -- fetch


def request_from_fetch_args(resource: object, options: Mapping[str, object] | None = None) -> JsRequest:
    """The Request that `fetch(resource, **options)` sends, as `workers.fetch` and `stub.fetch` take them.

    `resource` is a URL or a Request, which loses its body; options: method, headers, body, redirect, cf. Raises
    JsException named TypeError, before anything is sent, for what Request refuses and for a scheme that is not HTTP.
    """
    if not options and type(resource) is str:
        return JsRequest(_fetch_url(resource))
    given = {name: value for name, value in (options or {}).items() if value is not None and name != "fetcher"}
    if "body" in given:
        given["body"] = _fetch_body(given["body"])
    if "headers" in given:
        given["headers"] = _unwrap(given["headers"])
    request = JsRequest.new(resource if type(resource) is str else _unwrap(resource), **given)
    _check_scheme(request.url)
    return request


@lru_cache(maxsize=8192)
def _fetch_url(text: str) -> str:
    """The absolute URL that is fetched when `text` is. Cached: clients ask for the same ones again and again."""
    url = _absolute(text)
    _check_scheme(url)
    return url


def _check_scheme(url: str) -> None:
    if not url.startswith(("http:", "https:")):
        raise type_error(f"Fetch API cannot load: {url}")


def _unwrap(value: object) -> object:
    return getattr(value, "js_object", value)


def _fetch_body(value: object) -> object:
    """A Python body as fetch's conversion leaves it: a list is a stream of its items (recorded), a dict is no JSON."""
    if isinstance(value, (str, bytes)):
        return value
    value = _unwrap(value)
    if isinstance(value, dict) and interface_name(value) is None:
        return "[object Object]"
    if isinstance(value, Iterable) and interface_name(value) is None and buffer_bytes(value) is None:
        return list(value)
    return value


def deliver_request(request: JsRequest) -> JsRequest:
    """The Request as the fetch handler at the other side sees it; its body is used up here.

    There: immutable headers with a Content-Length, no fragment in the URL, redirect mode "manual" (so that a handler
    that passes its request on hands redirects back). Raises TypeError if the body has been used.
    """
    stream = request.send_stream()
    headers = None if stream is None and request._headers is None else _with_length(request.headers, stream)
    delivered = JsRequest(_no_fragment(request.url), request.method, headers, stream)
    delivered._arrived = True
    delivered.redirect = "manual"
    if request.cf is not None:
        delivered.cf = raw(clone(request.cf))
    return delivered


def _with_length(sent: JsHeaders, stream: JsReadableStream | None) -> JsHeaders:
    """The headers of a request that arrives: immutable, and they say how long the body is."""
    headers = sent.delivered()
    if stream is not None and not headers.has("content-length") and not headers.has("transfer-encoding"):
        if stream.length_known:
            headers.add_missing("content-length", str(len(stream.data)))
        else:
            headers.add_missing("transfer-encoding", "chunked")
    return headers


def _no_fragment(url: str) -> str:
    return url.partition("#")[0] if "#" in url else url


def check_sendable(response: JsResponse, request: JsRequest) -> None:
    """Raises TypeError if a handler cannot answer `request` with `response`: used body, WebSocket nobody asked for."""
    if response.webSocket is not None:
        if (request.headers.find("upgrade") or "").lower() != "websocket":
            raise type_error(_NO_UPGRADE)
        response.webSocket.check_sendable()
    if response.bodyUsed:
        raise type_error(BODY_USED)


def deliver_response(response: JsResponse, request: JsRequest, *, redirected: bool = False) -> JsResponse:
    """The Response as the caller of fetch sees it, `request` being the last one sent; its body is used up here.

    There: immutable headers, the URL of that request, no `cf`, no body for HEAD or a status that allows none.
    Raises what `check_sendable` raises.
    """
    if response.webSocket is not None:
        check_sendable(response, request)
    sent = response._headers
    stream = response.send_stream()
    if response.status in NULL_BODY_STATUSES or request.method == "HEAD":
        stream = None
    elif stream is None:
        stream = JsReadableStream(b"")
    delivered = JsResponse(response.status, None if sent is None else sent.delivered(), stream)
    delivered._content_type = response._content_type
    delivered._arrived = True
    if response._status_text is not None:
        delivered._status_text = response._custom_status_text
    delivered.webSocket = response.webSocket
    delivered.url = _no_fragment(request.url)
    delivered.redirected = redirected
    return delivered


def redirect_target(response: JsResponse, request: JsRequest) -> JsRequest | None:
    """The Request that follows from a redirect, None if `response` is the final answer to `request`.

    301 and 302 turn POST into GET, 303 everything but HEAD; 307 and 308 send the body again. Location may be relative.
    The caller counts them. Raises TypeError for a Location that is no URL or a body that is gone.
    """
    location = response.headers.find("location")
    if response.status not in REDIRECT_STATUSES or request.redirect != "follow" or location is None:
        return None
    target = parse_url(location, request.url)
    if target is None or target.scheme not in ("http", "https"):
        raise type_error("Invalid Location header; unable to follow redirect.")
    stream = request.stream
    if stream is not None and response.status != 303 and not stream.rewindable:
        raise type_error(_ONE_TIME_BODY)
    headers = JsHeaders.new(request.headers)
    here = parse_url(request.url)
    if here is not None and here.origin != target.origin:
        headers.delete("authorization")
    method = request.method
    if (response.status in (301, 302) and method == "POST") or (response.status == 303 and method != "HEAD"):
        method, stream = "GET", None
    return JsRequest(
        target.href,
        method,
        headers,
        None if stream is None else stream.copy(),
        redirect=request.redirect,
        cf=request.cf,
        cache=request.cache,
        signal=request.signal,
    )
