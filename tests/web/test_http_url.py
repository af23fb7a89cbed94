"""URLs as the platform parses them."""

from __future__ import annotations

import pytest

from dosim.web.errors import JsException
from dosim.web.proxies import jsnull, to_js
from dosim.web.url import JsURL, JsURLSearchParams, parse_url


def href(text: str, base: str | None = None) -> str | None:
    url = parse_url(text, base)
    return None if url is None else url.href


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://do", "http://do/"),
        ("HTTP://EXAMPLE.com:80/A", "http://example.com/A"),
        ("https://h:443/x", "https://h/x"),
        ("https://h:8443", "https://h:8443/"),
        ("http://h/a/./b/../c", "http://h/a/c"),
        ("http://h/a/..", "http://h/"),
        ("http://h/a/b/%2e%2E/", "http://h/a/"),
        ("http://h?x=1", "http://h/?x=1"),
        ("http://h#f", "http://h/#f"),
        ("  http://h/a b\n", "http://h/a%20b"),
        ("http://h/é?q=é'&a=b c", "http://h/%C3%A9?q=%C3%A9%27&a=b%20c"),
        ("http:\\\\h\\a", "http://h/a"),
        ("http:/h/a", "http://h/a"),
        ("http:h/a", "http://h/a"),
        ("http://user:p@ss@h/", "http://user:p%40ss@h/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0x7f.0.0.1", "http://127.0.0.1/"),
        ("http://[2001:DB8::0:1]:80/", "http://[2001:db8::1]/"),
        ("http://bücher.example", "http://xn--bcher-kva.example/"),
        ("http://h/%zz", "http://h/%zz"),
        ("mailto:a@b", "mailto:a@b"),
        ("foo://Host/x", "foo://Host/x"),
        ("http://h/a//b", "http://h/a//b"),
    ],
)
def test_url_is_normalised(text: str, expected: str) -> None:
    """A URL is read and written as the WHATWG standard says."""
    assert href(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "/items",
        "items",
        "",
        "http://",
        "http://a b/",
        "http://h:99999",
        "http://h:x",
        "http://256.1.1.1",
        "http://[::1",
        "//h/x",
    ],
)
def test_what_names_no_url(text: str) -> None:
    """Relative references and broken hosts and ports are no URL."""
    assert href(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/new", "http://do/new"),
        ("c", "http://do/a/c"),
        ("../c", "http://do/c"),
        ("?y", "http://do/a/b?y"),
        ("#f", "http://do/a/b?x#f"),
        ("", "http://do/a/b?x"),
        ("//other/z", "http://other/z"),
        ("https://s/", "https://s/"),
        ("\\p", "http://do/p"),
    ],
)
def test_relative_reference(text: str, expected: str) -> None:
    """A reference is resolved against the URL it stands in."""
    assert href(text, "http://do/a/b?x#g") == expected


def test_parts_of_a_url() -> None:
    """js.URL has the parts by their JavaScript names, and its text is the href."""
    url = JsURL.new("https://u:p@h.example:8443/a/b?x=1&x=2#top")

    assert url.constructor.name == "URL"
    assert str(url) == url.href == "https://u:p@h.example:8443/a/b?x=1&x=2#top"
    assert (url.protocol, url.host, url.hostname, url.port) == ("https:", "h.example:8443", "h.example", "8443")
    assert (url.pathname, url.search, url.hash) == ("/a/b", "?x=1&x=2", "#top")
    assert (url.username, url.password, url.origin) == ("u", "p", "https://h.example:8443")
    assert url.searchParams.getAll("x") == ["1", "2"]


def test_setting_parts() -> None:
    """Parts can be set; one that does not fit changes nothing."""
    url = JsURL.new("http://h/a")
    url.pathname = "/x y/../z"
    url.search = "a=b"
    url.port = 8080
    url.hostname = "other"
    url.hash = "end"
    url.host = "bad host"

    assert url.href == "http://other:8080/z?a=b#end"


def test_search_params_are_live() -> None:
    """A change of searchParams changes the URL, a change of the URL changes them."""
    url = JsURL.new("http://h/?a=1")
    params = url.searchParams
    params.append("b", "x y&")
    assert url.href == "http://h/?a=1&b=x+y%26"

    url.search = "?c=3"
    assert list(params.entries()) == [("c", "3")]

    params.delete("c")
    assert url.href == "http://h/"


def test_invalid_url_string() -> None:
    """js.URL.new of no URL is the platform's TypeError."""
    with pytest.raises(JsException) as caught:
        JsURL.new("/relative")

    assert str(caught.value) == "TypeError: Invalid URL string."
    assert JsURL.canParse("/relative", "http://h")
    assert JsURL.parse("/relative") is jsnull


def test_search_params() -> None:
    """URLSearchParams keeps order and repeats, and set leaves one."""
    params = JsURLSearchParams.new("?b=2&a=1&b=3&c")
    assert params.getAll("b") == ["2", "3"]
    assert params.get("c") == ""
    assert params.get("nope") is jsnull

    params.set("b", 5)
    params.sort()

    assert params.toString() == "a=1&b=5&c="
    assert JsURLSearchParams.new({"k": "é ~*"}).toString() == "k=%C3%A9+%7E*"
    assert JsURLSearchParams.new(to_js({"k": 1})).toString() == "k=1"
    assert JsURLSearchParams.new([("k", "1"), ("k", "2")]).size == 2
