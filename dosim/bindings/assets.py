"""Static assets: a folder of files, served as Cloudflare's asset Worker serves them.

Used twice: for `env.ASSETS.fetch(...)`, and before the Worker for requests that a file answers. Behaviour: workers-sdk
packages/workers-shared (asset-worker, utils/configuration) of 2026; developers.cloudflare.com/workers/static-assets.
Not here: `.assetsignore`, limits on the number and length of rules.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from dosim.web.headers import JsHeaders
from dosim.web.http import REDIRECT_STATUSES, JsRequest, JsResponse
from dosim.web.url import JsURL

HTML_HANDLING = ("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")
NOT_FOUND_HANDLING = ("none", "404-page", "single-page-application")
CACHE_CONTROL = "public, max-age=0, must-revalidate"
#: Files that say how to serve, and are not served.
_META_FILES = frozenset(("/_headers", "/_redirects", "/.assetsignore"))
#: A path to try and, for a redirect, where it is served instead.
_Candidate = tuple[str, str | None]

# fmt: off
#: By the ending of a file's name; of another one nothing is said. Source: the npm package `mime`, which wrangler uses.
CONTENT_TYPES: Final = {
    ending: kind
    for kind, endings in {
        "text/html": "html htm", "text/css": "css", "text/javascript": "js mjs", "text/plain": "txt text log",
        "text/csv": "csv", "text/markdown": "md markdown", "text/calendar": "ics", "text/yaml": "yaml yml",
        "text/vtt": "vtt", "text/x-opml": "opml", "application/json": "json map", "application/ld+json": "jsonld",
        "application/manifest+json": "webmanifest", "application/xml": "xml xsl", "application/rss+xml": "rss",
        "application/atom+xml": "atom", "application/xhtml+xml": "xhtml", "application/wasm": "wasm",
        "application/pdf": "pdf", "application/zip": "zip", "application/gzip": "gz", "application/x-tar": "tar",
        "application/vnd.ms-fontobject": "eot", "application/octet-stream": "bin", "font/woff": "woff",
        "font/woff2": "woff2", "font/ttf": "ttf", "font/otf": "otf", "image/svg+xml": "svg", "image/png": "png",
        "image/jpeg": "jpg jpeg", "image/gif": "gif", "image/webp": "webp", "image/avif": "avif", "image/bmp": "bmp",
        "image/tiff": "tif tiff", "image/vnd.microsoft.icon": "ico", "audio/mpeg": "mp3", "audio/ogg": "ogg oga",
        "audio/wav": "wav", "audio/mp4": "m4a", "video/mp4": "mp4", "video/webm": "webm", "video/ogg": "ogv",
        "video/quicktime": "mov", "model/gltf-binary": "glb",
    }.items()
    for ending in endings.split()
}
# fmt: on


class _Found(NamedTuple):
    """What a path means: a file with a status, or, when `redirect` is set, another path."""

    file: str
    status: int
    redirect: str | None = None


class Assets:
    """The files of a folder by their paths, and the rules for what has no file.

    Raises ValueError for an unknown `html_handling` or `not_found_handling`, NotADirectoryError without the folder.
    """

    def __init__(
        self,
        folder: str | Path,
        html_handling: str = "auto-trailing-slash",
        not_found_handling: str = "none",
    ) -> None:
        _check_word("html_handling", html_handling, HTML_HANDLING)
        _check_word("not_found_handling", not_found_handling, NOT_FOUND_HANDLING)
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise NotADirectoryError(
                f"assets.directory: there is no folder {self.folder}: create it, or correct the path, which counts"
                " from the configuration file."
            )
        self.html_handling = html_handling
        self.not_found_handling = not_found_handling
        files = {f"/{file.relative_to(self.folder).as_posix()}": file for file in sorted(self.folder.rglob("*"))}
        self._files = {path: file for path, file in files.items() if file.is_file() and path not in _META_FILES}
        self._data: dict[str, bytes] = {}
        self._served: set[str] = set()
        self._headers = _read_headers(self._text_of("_headers"))
        self._redirects = _Redirects(self._text_of("_redirects"), html_handling)

    def __repr__(self) -> str:
        return f"<assets of {self.folder.name}: {len(self._files)} files>"

    def can_answer(self, request: JsRequest, *, navigation_first: bool = True) -> bool:
        """Whether the request is the assets' and not the Worker's: there is a file, a redirect, a rule for it.

        `navigation_first`: a browser's navigation counts what `not_found_handling` gives too (compatibility flag
        assets_navigation_prefers_asset_serving, default from 2025-04-01).
        """
        navigates = navigation_first and request.headers.find("sec-fetch-mode") == "navigate"
        url = JsURL.new(request.url)
        rule = self._redirects.match(url)
        if rule is not None:
            return True
        return self._find(_decoded(url.pathname), self.not_found_handling if navigates else "none") is not None

    def respond(self, request: JsRequest) -> JsResponse:
        """The answer to a request: 404 without a body for what is not there, 405 for methods but GET and HEAD."""
        url = JsURL.new(request.url)
        response = self._answer(request, url)
        _apply_headers(self._headers, response.headers, url)
        return response

    def _answer(self, request: JsRequest, url: JsURL) -> JsResponse:
        path = url.pathname
        rule = self._redirects.match(url)
        if rule is not None and rule.status != 200:
            return _redirect(rule.status, _location(rule.to, url))
        if rule is not None:  # another file under this address
            path = JsURL.new(rule.to, request.url).pathname
        decoded = _decoded(path)
        found = self._find(decoded, self.not_found_handling)
        if found is None:
            return JsResponse.new(None, status=404, statusText="Not Found")
        if request.method not in ("GET", "HEAD"):
            return JsResponse.new(None, status=405, statusText="Method Not Allowed")
        canonical = _encoded(found.redirect or decoded)
        if found.redirect is not None or canonical != path:
            return _redirect(307, canonical + url.search)
        return self._serve(request, found)

    def _serve(self, request: JsRequest, found: _Found) -> JsResponse:
        etag = f'"{self._etag(found.file)}"'
        headers = JsHeaders.new({"etag": etag})
        kind = content_type(found.file)
        if kind is not None:
            headers.set("content-type", kind)
        if not request.headers.has("authorization") and not request.headers.has("range"):
            headers.set("cache-control", CACHE_CONTROL)
        headers.set("cf-cache-status", "HIT" if found.file in self._served else "MISS")
        self._served.add(found.file)
        if request.headers.find("if-none-match") in (etag, f"W/{etag}"):
            return JsResponse.new(None, status=304, headers=headers)
        body = None if request.method == "HEAD" else self._bytes(found.file)
        return JsResponse.new(body, status=found.status, headers=headers)

    # -- which file

    def _find(self, path: str, not_found_handling: str, *, redirects: bool = True) -> _Found | None:
        for file, destination in _CANDIDATES[self.html_handling](path):
            if destination is None:
                if file in self._files:
                    return _Found(file, 200)
            elif redirects and self._serves(file, destination):
                return _Found(file, 307, destination)
        return self._not_found(path, not_found_handling)

    def _serves(self, file: str, destination: str) -> bool:
        """Whether a redirect to `destination` ends at this file."""
        if file not in self._files or destination in self._files:
            return False
        there = self._find(destination, self.not_found_handling, redirects=False)
        return there is not None and self._etag(there.file) == self._etag(file)

    def _not_found(self, path: str, handling: str) -> _Found | None:
        if handling == "single-page-application":
            return _Found("/index.html", 200) if "/index.html" in self._files else None
        folder = path if handling == "404-page" else ""
        while folder:
            folder = folder.rpartition("/")[0]
            if f"{folder}/404.html" in self._files:
                return _Found(f"{folder}/404.html", 404)
        return None

    # -- files

    def _bytes(self, path: str) -> bytes:
        if path not in self._data:
            self._data[path] = self._files[path].read_bytes()
        return self._data[path]

    def _etag(self, path: str) -> str:
        """A hash of the content and the name's ending, as wrangler makes one; its own hash is blake3."""
        return hashlib.sha256(self._bytes(path) + _ending(path).encode()).hexdigest()[:32]

    def _text_of(self, name: str) -> str:
        file = self.folder / name
        return file.read_text("utf-8", errors="replace") if file.is_file() else ""


def content_type(path: str) -> str | None:
    """The Content-Type of a file by its name; texts are UTF-8."""
    kind = CONTENT_TYPES.get(_ending(path).lower())
    return f"{kind}; charset=utf-8" if kind is not None and kind.startswith("text/") else kind


def _ending(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2] if "." in name else ""


def _check_word(argument: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ValueError(f"assets.{argument}={value!r} is unknown: write one of {', '.join(words)}.")


def _redirect(status: int, location: str) -> JsResponse:
    return JsResponse.new(None, status=status, headers=JsHeaders.new({"location": location}))


# -- paths


def _decoded(path: str) -> str:
    """The path that files are looked up by: each part decoded if it can be, no empty parts."""
    return re.sub("/+", "/", "/".join(map(_decoded_part, path.split("/"))))


def _decoded_part(part: str) -> str:
    try:
        return part if re.search("%(?![0-9A-Fa-f]{2})", part) else unquote(part, errors="strict")
    except UnicodeDecodeError:
        return part


def _encoded(path: str) -> str:
    """The canonical spelling of a path: what `encodeURIComponent` makes of each part."""
    return "/".join(quote(part, safe="!*'()") for part in path.split("/"))


def _auto(path: str) -> Iterator[_Candidate]:
    """/foo.html at /foo, /foo/index.html at /foo/."""
    if path.endswith("/index"):
        yield path, None
        yield f"{path}.html", path[:-5]
        yield f"{path[:-6]}.html", path[:-6]
    elif path.endswith("/index.html"):
        yield path, path[:-10]
        yield f"{path[:-11]}.html", path[:-11]
    elif path.endswith("/"):
        yield f"{path}index.html", None
        yield f"{path[:-1]}.html", path[:-1]
    elif path.endswith(".html"):
        yield path, path[:-5]
        yield f"{path[:-5]}/index.html", f"{path[:-5]}/"
    yield path, None
    yield f"{path}.html", None
    yield f"{path}/index.html", f"{path}/"


def _force(path: str) -> Iterator[_Candidate]:
    """Both at /foo/."""
    if path.endswith("/index"):
        yield path, None
        yield f"{path}.html", path[:-5]
        yield f"{path[:-6]}.html", path[:-5]
    elif path.endswith("/index.html"):
        yield path, path[:-10]
        yield f"{path[:-11]}.html", path[:-10]
    elif path.endswith("/"):
        yield f"{path}index.html", None
        yield f"{path[:-1]}.html", None
    elif path.endswith(".html"):
        yield path, f"{path[:-5]}/"
        yield path, None
        yield f"{path[:-5]}/index.html", f"{path[:-5]}/"
    yield path, None
    yield f"{path}.html", f"{path}/"
    yield f"{path}/index.html", f"{path}/"


def _drop(path: str) -> Iterator[_Candidate]:
    """Both at /foo."""
    if path in ("/index", "/index.html"):
        if path == "/index":
            yield path, None
        yield "/index.html", "/"
    elif path.endswith("/index"):
        yield path, None
        yield f"{path[:-6]}.html", path[:-6]
        yield f"{path}.html", path[:-6]
    elif path.endswith("/index.html"):
        yield path, path[:-11]
        yield path, None
        yield f"{path[:-11]}.html", path[:-11]
    elif path == "/":
        yield "/index.html", None
    elif path.endswith("/"):
        yield f"{path[:-1]}.html", path[:-1]
        yield f"{path[:-1]}/index.html", path[:-1]
    elif path.endswith(".html"):
        yield path, path[:-5]
        yield f"{path[:-5]}/index.html", path[:-5]
    yield path, None
    yield f"{path}.html", None
    yield f"{path}/index.html", None


def _exact(path: str) -> Iterator[_Candidate]:
    yield path, None


_CANDIDATES = dict(zip(HTML_HANDLING, (_auto, _force, _drop, _exact), strict=True))


# -- rules of _headers and _redirects

_PLACEHOLDER = re.compile(r":([A-Za-z]\w*)")


def _pattern(rule: str) -> re.Pattern[str] | None:
    """A rule's path, `*` being the splat and `:name` a placeholder; with a host when it begins with https://.

    None for a rule that the platform ignores too, such as one with two splats.
    """
    host, path = "", rule
    if rule.startswith("https://"):
        host, slash, rest = rule[len("https://") :].partition("/")
        path = slash + rest
    pattern = _escaped(host, "[^/.]+") + _escaped(path, "[^/]+")
    try:
        return re.compile(f"https://{pattern}" if host else pattern)
    except re.error:
        return None


def _escaped(text: str, part: str) -> str:
    splat = re.escape(text).replace(r"\*", "(?P<splat>.*)")
    return _PLACEHOLDER.sub(lambda match: f"(?P<{match[1]}>{part})", splat)


def _match(pattern: re.Pattern[str], url: JsURL) -> Mapping[str, str] | None:
    """What the placeholders of a pattern stand for; None if the URL is another."""
    host = pattern.pattern.startswith("https://")
    match = pattern.fullmatch(f"https://{url.hostname}{url.pathname}" if host else url.pathname)
    return None if match is None else match.groupdict()


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


@dataclass
class _HeaderRule:
    """The headers that responses to matching requests get and lose."""

    pattern: re.Pattern[str] | None
    put: dict[str, str] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)


def _read_headers(text: str) -> list[_HeaderRule]:
    """The rules of a `_headers` file: a path, then lines `name: value` and `! name`."""
    rules: list[_HeaderRule] = []
    for line in _lines(text):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if line.startswith("/") or "://" in line.split()[0]:
            rules.append(_HeaderRule(_pattern(line)))
        elif rules and line.startswith("! "):
            rules[-1].taken.append(line[2:].strip())
        elif rules and colon and name and value and " " not in name:
            put, key = rules[-1].put, name.lower()
            put[key] = f"{put[key]}, {value}" if key in put else value
    return [rule for rule in rules if rule.pattern is not None]


def _apply_headers(rules: list[_HeaderRule], headers: JsHeaders, url: JsURL) -> None:
    put: set[str] = set()
    for rule in rules:
        values = _match(rule.pattern, url) if rule.pattern is not None else None
        if values is None:
            continue
        for name in rule.taken:
            headers.delete(name)
        for name, value in rule.put.items():
            if name in put:
                headers.append(name, _filled(value, values))
            else:
                headers.set(name, _filled(value, values))
            put.add(name)


class _Rule(NamedTuple):
    to: str
    status: int


class _Redirects:
    """The rules of a `_redirects` file: `/from /to [status]`; rules without `*` and `:name` come first."""

    def __init__(self, text: str, html_handling: str) -> None:
        self._fixed: dict[str, _Rule] = {}
        self._patterns: list[tuple[re.Pattern[str], _Rule]] = []
        seen: set[str] = set()
        for line in _lines(text):
            source, rule = _read_redirect(line)
            if rule is None or source in seen or _is_endless(source, rule.to, html_handling):
                continue
            seen.add(source)
            pattern = _pattern(source)
            if "*" not in source and not _PLACEHOLDER.search(source) and not self._patterns:
                self._fixed[source] = rule
            elif pattern is not None:
                self._patterns.append((pattern, rule))

    def match(self, url: JsURL) -> _Rule | None:
        """The rule for a URL, its placeholders filled in."""
        fixed = self._fixed.get(url.pathname)
        if fixed is not None:
            return fixed
        for pattern, rule in self._patterns:
            values = _match(pattern, url)
            if values is not None:
                to = _filled(rule.to, values)
                return _Rule(to if "://" in to else re.sub("/+", "/", to), rule.status)
        return None


def _read_redirect(line: str) -> tuple[str, _Rule | None]:
    """A rule's path and target. None for what the platform ignores: other statuses, another host's path."""
    words = line.split()
    comment = next((at for at, word in enumerate(words) if at >= 2 and word.startswith("#")), len(words))
    source, to, status = [*words[:comment], *[""] * 3][:3]
    code = int(status) if status.isdecimal() else 302 if not status else 0
    whole = to.startswith("https://")
    if not 2 <= comment <= 3 or source.startswith("https://") or not (whole or to.startswith("/")):
        return source, None
    if code not in REDIRECT_STATUSES and (code != 200 or whole):
        return source, None
    return source if source.startswith("/") else f"/{source}", _Rule(to, code)


def _is_endless(source: str, to: str, html_handling: str) -> bool:
    """Whether the asset Worker would send a browser back to where the rule sent it from."""
    to_index = re.search(r"/index(\.html)?$", to) is not None and to.startswith("/")
    return to_index and (source.endswith("/*") or (source.endswith("/") and html_handling != "none"))


def _location(to: str, url: JsURL) -> str:
    """Where a rule leads, with the request's query unless it has one of its own."""
    target = JsURL.new(to, url.href)
    rest = (target.search or url.search) + target.hash
    return f"{target.pathname}{rest}" if target.origin == url.origin else f"{target.origin}{target.pathname}{rest}"
