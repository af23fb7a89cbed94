"""Static assets: which file answers which request, and with which headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dosim.bindings.assets import CACHE_CONTROL, Assets
from dosim.web.http import JsRequest, JsResponse

FILES = {
    "index.html": "home",
    "about.html": "about",
    "blog/index.html": "blog",
    "both.html": "both, the file",
    "both/index.html": "both, the folder",
    "app.js": "script",
    "data": "no ending",
    "404.html": "not found",
    "blog/404.html": "not in the blog",
    "ü [1].txt": "odd name",
}
WriteAssets = Callable[..., Assets]
Answer = tuple[int, str]


@pytest.fixture
def assets(tmp_path: Path) -> WriteAssets:
    """The assets of a folder with FILES and more."""

    def build(more: dict[str, str] | None = None, **options: Any) -> Assets:
        for path, text in (FILES | (more or {})).items():
            file = tmp_path / "public" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return Assets(tmp_path / "public", **options)

    return build


def ask(assets: Assets, path: str, **options: Any) -> JsResponse:
    """The answer to a request."""
    return assets.respond(JsRequest.new(f"https://app.example{path}", **options))


def text(response: JsResponse) -> str:
    """The body of a response, "" for none."""
    return "" if response.stream is None else response.stream.data.decode()


def said(assets: Assets, path: str, **options: Any) -> tuple[int, str]:
    """Status, and where to or what."""
    response = ask(assets, path, **options)
    return response.status, response.headers.find("location") or text(response)


# -- html_handling: the tables of the documentation


@pytest.mark.parametrize(
    ("path", "auto", "force", "drop", "none"),
    [
        ("/", (200, "home"), (200, "home"), (200, "home"), (404, "")),
        ("/index.html", (307, "/"), (307, "/"), (307, "/"), (200, "home")),
        ("/index", (307, "/"), (307, "/"), (307, "/"), (404, "")),
        ("/about", (200, "about"), (307, "/about/"), (200, "about"), (404, "")),
        ("/about/", (307, "/about"), (200, "about"), (307, "/about"), (404, "")),
        ("/about.html", (307, "/about"), (307, "/about/"), (307, "/about"), (200, "about")),
        ("/about/index", (307, "/about"), (307, "/about/"), (307, "/about"), (404, "")),
        ("/about/index.html", (307, "/about"), (307, "/about/"), (307, "/about"), (404, "")),
        ("/blog", (307, "/blog/"), (307, "/blog/"), (200, "blog"), (404, "")),
        ("/blog/", (200, "blog"), (200, "blog"), (307, "/blog"), (404, "")),
        ("/blog.html", (307, "/blog/"), (307, "/blog/"), (307, "/blog"), (404, "")),
        ("/blog/index.html", (307, "/blog/"), (307, "/blog/"), (307, "/blog"), (200, "blog")),
        ("/both", (200, "both, the file"), (307, "/both/"), (200, "both, the file"), (404, "")),
        ("/both/", (200, "both, the folder"), (200, "both, the folder"), (307, "/both"), (404, "")),
        ("/both.html", (307, "/both"), (200, "both, the file"), (307, "/both"), (200, "both, the file")),
        ("/both/index.html", (307, "/both/"), (307, "/both/"), (200, "both, the folder"), (200, "both, the folder")),
        ("/data", (200, "no ending"), (200, "no ending"), (200, "no ending"), (200, "no ending")),
        ("/nothing", (404, ""), (404, ""), (404, ""), (404, "")),
    ],
)
def test_html_handling(assets: WriteAssets, path: str, auto: Answer, force: Answer, drop: Answer, none: Answer) -> None:
    """Where each kind of page is served, and which paths lead there."""
    assert said(assets(html_handling="auto-trailing-slash"), path) == auto
    assert said(assets(html_handling="force-trailing-slash"), path) == force
    assert said(assets(html_handling="drop-trailing-slash"), path) == drop
    assert said(assets(html_handling="none"), path) == none


def test_a_redirect_keeps_the_query(assets: WriteAssets) -> None:
    """It is relative, so that it holds on every host."""
    assert said(assets(), "/about.html?a=1&b") == (307, "/about?a=1&b")


def test_paths_have_one_spelling(assets: WriteAssets) -> None:
    """Odd characters are found in any spelling and redirected to the encoded one; so are doubled slashes."""
    assert said(assets(), "/%C3%BC%20%5B1%5D.txt") == (200, "odd name")
    assert said(assets(), "/ü [1].txt") == (307, "/%C3%BC%20%5B1%5D.txt")
    assert said(assets(), "/blog//") == (307, "/blog/")
    assert said(assets(), "/%zz") == (404, "")


# -- not_found_handling


def test_the_nearest_404_page_answers(assets: WriteAssets) -> None:
    """With status 404, from the folder of the path or one above it."""
    with_page = assets(not_found_handling="404-page")

    assert said(with_page, "/nothing/here") == (404, "not found")
    assert said(with_page, "/blog/nothing") == (404, "not in the blog")
    assert ask(with_page, "/blog/nothing").headers.find("content-type") == "text/html; charset=utf-8"


def test_a_single_page_application_answers_everything(assets: WriteAssets) -> None:
    """With its index page and status 200, under the address that was asked for."""
    app = assets(not_found_handling="single-page-application")

    assert said(app, "/users/7") == (200, "home")
    assert said(app, "/app.js") == (200, "script")


def test_which_requests_are_the_workers(assets: WriteAssets) -> None:
    """Those without a file; a browser's navigation belongs to the single-page application, other requests do not."""
    app = assets({"_redirects": "/old /new"}, not_found_handling="single-page-application")
    navigation = {"headers": {"Sec-Fetch-Mode": "navigate"}}

    def can_answer(path: str, **options: Any) -> bool:
        return app.can_answer(JsRequest.new(f"https://app.example{path}", **options))

    assert [can_answer(path) for path in ("/", "/app.js", "/about.html", "/old", "/api")] == [True] * 4 + [False]
    assert can_answer("/api", **navigation)
    assert can_answer("/app.js", method="POST")
    request = JsRequest.new("https://app.example/api", **navigation)
    assert not app.can_answer(request, navigation_first=False)


# -- methods and headers


def test_methods(assets: WriteAssets) -> None:
    """HEAD has the headers without the body, other methods are not allowed; where no file is, the answer is 404."""
    head = ask(assets(), "/app.js", method="HEAD")

    assert (head.status, head.stream, head.headers.find("content-type")) == (
        200,
        None,
        "text/javascript; charset=utf-8",
    )
    post = ask(assets(), "/app.js", method="POST")
    assert (post.status, post.statusText, text(post)) == (405, "Method Not Allowed", "")
    assert said(assets(), "/api", method="POST") == (404, "")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("a.jpg", "image/jpeg"),
        ("a.json", "application/json"),
        ("a.unknown", None),
        ("plain", None),
    ],
)
def test_content_types(assets: WriteAssets, name: str, kind: str | None) -> None:
    """By the name's ending; the first five as Cloudflare's own example tests them."""
    assert ask(assets({name: "x"}, html_handling="none"), f"/{name}").headers.find("content-type") == kind


def test_an_unchanged_file_is_not_sent_again(assets: WriteAssets) -> None:
    """The ETag is that of the content; asked again with it, weak or strong, the answer is 304."""
    first = ask(assets(), "/app.js")
    etag = first.headers.find("etag")
    assert etag is not None
    assert etag == ask(assets({"copy.js": "script"}), "/copy.js").headers.find("etag")
    assert etag != ask(assets({"app.js": "changed"}), "/app.js").headers.find("etag")

    again = [ask(assets({"app.js": "script"}), "/app.js", headers={"If-None-Match": t}) for t in (etag, f"W/{etag}")]

    assert [(response.status, response.stream) for response in again] == [(304, None)] * 2
    assert again[0].headers.find("etag") == etag
    assert ask(assets(), "/app.js", headers={"If-None-Match": '"other"'}).status == 200


def test_the_caching_headers(assets: WriteAssets) -> None:
    """Browsers must ask again, unless the request carries credentials; the first answer of a file is a MISS."""
    served = assets()

    first, second = ask(served, "/app.js"), ask(served, "/app.js", headers={"Authorization": "x"})

    assert first.headers.find("cache-control") == CACHE_CONTROL
    assert second.headers.find("cache-control") is None
    assert [r.headers.find("cf-cache-status") for r in (first, second)] == ["MISS", "HIT"]


# -- _headers and _redirects


def test_rules_of_a_headers_file(assets: WriteAssets) -> None:
    """Set, joined when two rules set the same, taken away; placeholders and hosts; the file itself is not served."""
    rules = """
    # for everything
    /*
      X-Frame-Options: DENY
      x-path: :splat
    /app.js
      x-path: app
      ! etag
    https://:site.example/blog/:page
      x-site: :site/:page
    """
    served = assets({"_headers": rules, "blog/one": "1"})
    script, post = ask(served, "/app.js").headers, ask(served, "/blog/one").headers

    assert (script.find("x-frame-options"), script.find("x-path"), script.find("etag")) == ("DENY", "app.js, app", None)
    assert (post.find("x-site"), post.find("x-path")) == ("app/one", "blog/one")
    assert ask(served, "/nothing").headers.find("x-frame-options") == "DENY"
    assert said(served, "/_headers")[0] == 404


def test_rules_of_a_redirects_file(assets: WriteAssets) -> None:
    """302 unless said otherwise, before any file; splats, placeholders, other hosts, and 200 for another file."""
    rules = """
    # from to status
    /old /new#part
    /moved /about?x=1 301 # for good
    /app.js /elsewhere.js
    /posts/:year/:name /blog/:name-:year
    /away/* https://other.example/:splat 308
    /show/:what /about 200
    /loop/* /index.html
    /odd /new 418
    too many words on this line
    /old /second
    """
    served = assets({"_redirects": rules})

    assert said(served, "/old?q=1") == (302, "/new?q=1#part")
    assert said(served, "/moved?q=1") == (301, "/about?x=1")
    assert said(served, "/app.js") == (302, "/elsewhere.js")
    assert said(served, "/posts/2026/hello") == (302, "/blog/hello-2026")
    assert said(served, "/away/a/b") == (308, "https://other.example/a/b")
    assert said(served, "/show/anything") == (200, "about")
    assert said(served, "/loop/x") == said(served, "/odd") == (404, "")


# -- wrong input


def test_wrong_options_are_explained(assets: WriteAssets, tmp_path: Path) -> None:
    """The word that is wrong and the words there are; the folder that is not there."""
    with pytest.raises(ValueError, match=r"assets\.html_handling='auto' is unknown: write one of auto-trailing-slash"):
        assets(html_handling="auto")
    with pytest.raises(ValueError, match=r"assets\.not_found_handling='spa' is unknown"):
        assets(not_found_handling="spa")
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        Assets(tmp_path / "nowhere")
