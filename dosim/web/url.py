"""URLs as the WHATWG standard parses them, and `js.URL` and `js.URLSearchParams`.

Covered: scheme and host in lower case, default ports dropped, dot segments, percent-encoding, credentials, IPv4 and
IPv6, international names, relative references. Source: url.spec.whatwg.org; error texts: workerd api/url-standard.c++.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import quote, unquote_to_bytes

from dosim.web.errors import type_error
from dosim.web.interface import JsInterface, argument_text, utf8
from dosim.web.maps import JsMapLike
from dosim.web.proxies import JsNull, JsObject, jsnull

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_CONTROL_OR_SPACE = "".join(map(chr, range(0x21)))
_TAB_OR_NEWLINE = re.compile(r"[\t\r\n]")
_FORBIDDEN_IN_HOST = frozenset("\0\t\n\r #/:<>?@[\\]^|%\x7f") | frozenset(map(chr, range(0x20)))
_DOT = frozenset((".", "%2e"))
_DOT_DOT = frozenset(("..", ".%2e", "%2e.", "%2e%2e"))

# What each part leaves as it is, besides letters, digits and `_.-~`, which `quote` never touches.
_SAFE_FRAGMENT = "!#$%&'()*+,/:;=?@[\\]^{|}"
_SAFE_QUERY = "!$%&'()*+,/:;=?@[\\]^`{|}"
_SAFE_SPECIAL_QUERY = _SAFE_QUERY.replace("'", "")
_SAFE_PATH = "!$%&'()*+,/:;=@[\\]|"
_SAFE_USER = "!$%&'()*+,"
_SAFE_OPAQUE = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}"


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed URL. `host` is None where the scheme has none; `path` includes its leading slash."""

    scheme: str
    username: str = ""
    password: str = ""
    host: str | None = None
    port: int | None = None
    path: str = ""
    query: str | None = None
    fragment: str | None = None

    @property
    def special(self) -> bool:
        return self.scheme in DEFAULT_PORTS

    @property
    def opaque(self) -> bool:
        """True for `mailto:x` and the like: no host, no segments."""
        return self.host is None and not self.path.startswith("/")

    @property
    def host_and_port(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.host or ''}{port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host_and_port}" if self.special else "null"

    @property
    def href(self) -> str:
        text = f"{self.scheme}:"
        if self.host is not None:
            password = f":{self.password}" if self.password else ""
            user = f"{self.username}{password}@" if self.username or self.password else ""
            text += f"//{user}{self.host_and_port}"
        elif self.path.startswith("//"):
            text += "/."
        text += self.path
        if self.query is not None:
            text += f"?{self.query}"
        return text if self.fragment is None else f"{text}#{self.fragment}"


def parse_url(text: str, base: str | None = None) -> Url | None:
    """The URL `text` names, seen from `base`; None when it names none."""
    return _parse(text, base)


#: URLs that are normal already: plain host, no port, no dots in the path, nothing to encode.
_NORMAL = re.compile(r"https?://(?:[a-z]+[a-z0-9]*\.)*[a-z]+[a-z0-9]*/[A-Za-z0-9/_~-]*(?:\?[A-Za-z0-9=&_~.-]*)?")


def normal_url(text: str) -> str | None:
    """The absolute URL `text` names, normalised; None when it names none."""
    if _NORMAL.fullmatch(text):
        return text
    url = _parse(text, None)
    return None if url is None else url.href


@lru_cache(maxsize=4096)
def _parse(text: str, base: str | None) -> Url | None:
    text = _TAB_OR_NEWLINE.sub("", text.strip(_CONTROL_OR_SPACE))
    start = None if base is None else _parse(base, None)
    if base is not None and start is None:
        return None
    rest, fragment = _split(text, "#")
    url = _parse_parts(rest, start)
    if url is None:
        return None
    return replace(url, fragment=None if fragment is None else encode(fragment, _SAFE_FRAGMENT))


def _parse_parts(text: str, base: Url | None) -> Url | None:
    match = _SCHEME.fullmatch(text)
    if match is None:
        return None if base is None else _relative(text, base)
    scheme, rest = match[1].lower(), match[2]
    if scheme in DEFAULT_PORTS:
        slashes = rest.split("?", 1)[0].replace("\\", "/")
        if base is not None and base.scheme == scheme and not slashes.startswith("//"):
            return _relative(rest, base)
        return _authority(Url(scheme), rest.lstrip("/\\"))
    if rest.startswith("//"):
        return _authority(Url(scheme), rest[2:])
    path, query = _split(rest, "?")
    coded = None if query is None else encode(query, _SAFE_QUERY)
    if path.startswith("/"):
        return Url(scheme, path=_path(path, special=False), query=coded)
    return Url(scheme, path=encode(path, _SAFE_OPAQUE), query=coded)


def _relative(text: str, base: Url) -> Url | None:
    if base.opaque:
        return replace(base, fragment=None) if not text else None
    path, query = _split(text, "?")
    if base.special:
        path = path.replace("\\", "/")
    if path.startswith("//"):
        return _authority(Url(base.scheme), text.lstrip("/\\") if base.special else text[2:])
    coded = _query(query, base)
    if not path:
        return replace(base, query=base.query if query is None else coded, fragment=None)
    if not path.startswith("/"):
        path = base.path[: base.path.rfind("/") + 1] + path
    return replace(base, path=_path(path, base.special), query=coded, fragment=None)


def _authority(url: Url, text: str) -> Url | None:
    """`url` with the user, host, port, path and query that follow `//`."""
    end = re.search(r"[/\\?]" if url.special else r"[/?]", text)
    authority, rest = (text, "") if end is None else (text[: end.start()], text[end.start() :])
    path, query = _split(rest, "?")
    user, at, host_text = authority.rpartition("@")
    name, _, password = user.partition(":")
    host_and_port = _host_and_port(url, host_text, credentials=bool(at))
    if host_and_port is None:
        return None
    host, port = host_and_port
    return Url(
        url.scheme,
        encode(name, _SAFE_USER),
        encode(password, _SAFE_USER),
        host,
        port,
        _path(path, url.special) if path or url.special else "",
        _query(query, url),
    )


def _host_and_port(url: Url, text: str, *, credentials: bool = False) -> tuple[str, int | None] | None:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", text)
    if match is None:
        return None
    port = int(match[2]) if match[2] else None
    if port is not None and port > 65535:
        return None
    host = _host(match[1], url.special)
    if host is None or (not host and (url.special or credentials or match[2])):
        return None
    return host, None if port == DEFAULT_PORTS.get(url.scheme) else port


def _host(text: str, special: bool) -> str | None:
    if text.startswith("["):
        try:
            return f"[{IPv6Address(text[1:-1]).compressed}]"
        except ValueError:
            return None
    if not special:
        return None if _FORBIDDEN_IN_HOST.difference("%").intersection(text) else encode(text, _SAFE_OPAQUE)
    name = unquote_to_bytes(utf8(text)).decode("utf-8", "replace").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return None
    if _FORBIDDEN_IN_HOST.intersection(name):
        return None
    last = name.removesuffix(".").rpartition(".")[2]
    return _ipv4(name) if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last) else name


def _ipv4(name: str) -> str | None:
    parts = name.removesuffix(".").split(".")
    try:
        numbers = [_ipv4_number(part) for part in parts]
    except ValueError:
        return None
    if len(numbers) > 4 or any(n > 255 for n in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        return None
    address = numbers[-1] + sum(n << 8 * (3 - i) for i, n in enumerate(numbers[:-1]))
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


def _ipv4_number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if len(part) > 1 and part.startswith("0") else int(part)


def _path(text: str, special: bool) -> str:
    """An absolute path without dot segments, encoded."""
    if special:
        text = text.replace("\\", "/")
    out: list[str] = []
    segments = text.removeprefix("/").split("/")
    for i, segment in enumerate(segments):
        last = i == len(segments) - 1
        if segment.lower() in _DOT_DOT:
            if out:
                out.pop()
            if last:
                out.append("")
        elif segment.lower() in _DOT:
            if last:
                out.append("")
        else:
            out.append(encode(segment, _SAFE_PATH))
    return "/" + "/".join(out)


def _query(query: str | None, url: Url) -> str | None:
    return None if query is None else encode(query, _SAFE_SPECIAL_QUERY if url.special else _SAFE_QUERY)


def _split(text: str, mark: str) -> tuple[str, str | None]:
    head, found, tail = text.partition(mark)
    return head, tail if found else None


def encode(text: str, safe: str) -> str:
    """`text` percent-encoded, `safe` left alone; text that is already encoded stays as it is."""
    return quote(utf8(text), safe=safe)


def decode_form(text: str) -> list[tuple[str, str]]:
    """The pairs of application/x-www-form-urlencoded text."""
    pairs = (part.partition("=") for part in text.split("&") if part)
    return [(_decode(name), _decode(value)) for name, _, value in pairs]


def encode_form(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs as application/x-www-form-urlencoded text."""
    return "&".join(f"{_form(name)}={_form(value)}" for name, value in pairs)


def _decode(text: str) -> str:
    return unquote_to_bytes(utf8(text.replace("+", " "))).decode("utf-8", "replace")


def _form(text: str) -> str:
    return quote(utf8(text), safe="* ").replace(" ", "+").replace("~", "%7E")


class JsURLSearchParams(JsMapLike[str]):
    """`js.URLSearchParams`: an ordered list of (name, value)."""

    js_name = "URLSearchParams"
    __slots__ = ("_changed", "_pairs")

    def __init__(self, pairs: list[tuple[str, str]], changed: Callable[[], None] | None = None) -> None:
        self._pairs = pairs
        self._changed = changed

    @classmethod
    def new(cls, init: object = None) -> JsURLSearchParams:
        """From a query with or without `?`, from pairs, from a dict or from other URLSearchParams."""
        if init is None:
            return cls([])
        if isinstance(init, JsURLSearchParams):
            return cls(list(init._pairs))
        source: object = init.as_plain() if isinstance(init, JsObject) else init
        items: object = source.items() if isinstance(source, Mapping) else source
        if isinstance(items, str) or not isinstance(items, Iterable):
            return cls(decode_form(argument_text(items).removeprefix("?")))
        pairs = [tuple(argument_text(part) for part in entry) for entry in items]
        if any(len(pair) != 2 for pair in pairs):
            raise type_error("Invalid URL search params sequence.")
        return cls([(pair[0], pair[1]) for pair in pairs])

    @property
    def size(self) -> int:
        return len(self._pairs)

    def get(self, name: str) -> str | JsNull:
        return next((value for key, value in self._pairs if key == name), jsnull)

    def getAll(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]

    def has(self, name: str, value: object = None) -> bool:
        return any(key == name and (value is None or argument_text(value) == found) for key, found in self._pairs)

    def append(self, name: object, value: object) -> None:
        self._pairs.append((argument_text(name), argument_text(value)))
        self._report()

    def set(self, name: object, value: object) -> None:
        key, text = argument_text(name), argument_text(value)
        found = next((i for i, pair in enumerate(self._pairs) if pair[0] == key), len(self._pairs))
        rest = [pair for pair in self._pairs[found + 1 :] if pair[0] != key]
        self._pairs[found:] = [(key, text), *rest]
        self._report()

    def delete(self, name: str, value: object = None) -> None:
        self._pairs[:] = [
            pair for pair in self._pairs if pair[0] != name or (value is not None and argument_text(value) != pair[1])
        ]
        self._report()

    def sort(self) -> None:
        self._pairs.sort(key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass"))
        self._report()

    def listed(self) -> list[tuple[str, str]]:
        return [*self._pairs]

    def toString(self) -> str:
        return encode_form(self._pairs)

    def _report(self) -> None:
        if self._changed is not None:
            self._changed()


class JsURL(JsInterface):
    """`js.URL`: its parts can be read and set; a part that does not fit leaves the URL as it was."""

    js_name = "URL"
    __slots__ = ("_params", "_url")

    def __init__(self, url: Url) -> None:
        self._url = url
        self._params: JsURLSearchParams | None = None

    @classmethod
    def new(cls, text: object, base: object = None) -> JsURL:
        """Raises TypeError "Invalid URL string." for text that names no URL."""
        url = parse_url(argument_text(text), None if base is None else argument_text(base))
        if url is None:
            raise type_error("Invalid URL string.")
        return cls(url)

    @classmethod
    def canParse(cls, text: object, base: object = None) -> bool:
        return parse_url(argument_text(text), None if base is None else argument_text(base)) is not None

    @classmethod
    def parse(cls, text: object, base: object = None) -> JsURL | JsNull:
        url = parse_url(argument_text(text), None if base is None else argument_text(base))
        return jsnull if url is None else cls(url)

    @property
    def href(self) -> str:
        return self._url.href

    @href.setter
    def href(self, value: str) -> None:
        self._url = JsURL.new(value)._url
        self._reload()

    @property
    def origin(self) -> str:
        return self._url.origin

    @property
    def protocol(self) -> str:
        return f"{self._url.scheme}:"

    @protocol.setter
    def protocol(self, value: str) -> None:
        scheme = value.partition(":")[0].lower()
        if (scheme in DEFAULT_PORTS) == self._url.special:
            self._change(scheme=scheme)

    @property
    def username(self) -> str:
        return self._url.username

    @username.setter
    def username(self, value: str) -> None:
        self._change(username=encode(value, _SAFE_USER))

    @property
    def password(self) -> str:
        return self._url.password

    @password.setter
    def password(self, value: str) -> None:
        self._change(password=encode(value, _SAFE_USER))

    @property
    def host(self) -> str:
        return self._url.host_and_port

    @host.setter
    def host(self, value: str) -> None:
        found = _host_and_port(self._url, value)
        if found is not None:
            host, port = found
            self._change(host=host, port=port if ":" in value else self._url.port)

    @property
    def hostname(self) -> str:
        return self._url.host or ""

    @hostname.setter
    def hostname(self, value: str) -> None:
        host = _host(value, self._url.special)
        if host:
            self._change(host=host)

    @property
    def port(self) -> str:
        return "" if self._url.port is None else str(self._url.port)

    @port.setter
    def port(self, value: object) -> None:
        digits = re.match(r"[0-9]*", argument_text(value))
        port = int(digits[0]) if digits and digits[0] else None
        if port is None or port <= 65535:
            self._change(port=port)

    @property
    def pathname(self) -> str:
        return self._url.path

    @pathname.setter
    def pathname(self, value: str) -> None:
        if not self._url.opaque:
            path = _path(value.replace("?", "%3F").replace("#", "%23"), self._url.special)
            self._url = replace(self._url, path=path)

    @property
    def search(self) -> str:
        return f"?{self._url.query}" if self._url.query else ""

    @search.setter
    def search(self, value: str) -> None:
        text = value.removeprefix("?")
        self._url = replace(self._url, query=_query(text.replace("#", "%23"), self._url) if text else None)
        self._reload()

    @property
    def hash(self) -> str:
        return f"#{self._url.fragment}" if self._url.fragment else ""

    @hash.setter
    def hash(self, value: str) -> None:
        text = value.removeprefix("#")
        self._url = replace(self._url, fragment=encode(text, _SAFE_FRAGMENT) if text else None)

    @property
    def searchParams(self) -> JsURLSearchParams:
        """The query as live parameters: a change there changes this URL."""
        if self._params is None:
            self._params = JsURLSearchParams(decode_form(self._url.query or ""), self._take_params)
        return self._params

    def toJSON(self) -> str:
        return self._url.href

    def toString(self) -> str:
        return self._url.href

    def _change(self, **parts: str | int | None) -> None:
        """Sets parts if the result is a URL."""
        changed = replace(self._url, **parts)  # type: ignore[arg-type]
        url = parse_url(changed.href)
        if url is not None:
            self._url = url

    def _reload(self) -> None:
        if self._params is not None:
            self._params._pairs[:] = decode_form(self._url.query or "")

    def _take_params(self) -> None:
        query = self._params.toString() if self._params is not None else ""
        self._url = replace(self._url, query=query or None)
