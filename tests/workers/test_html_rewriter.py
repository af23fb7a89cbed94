"""`js.HTMLRewriter`: what handlers see of a page, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dosim import Simulation
from dosim.simulation.errors import PortabilityWarning
from dosim.web.errors import JsException
from dosim.web.http import JsResponse
from dosim.web.proxies import jsnull
from dosim.workers import Response, WorkerEntrypoint
from dosim.workers.ffi import create_proxy, to_js
from dosim.workers.js import HTMLRewriter

Handlers = dict[str, Callable[[Any], Any]]


def rewritten(page: str, selector: str = "", document: Handlers | None = None, /, **handlers: Any) -> str:
    """The page after one `on(selector, ...)`, or one `onDocument(...)`."""
    rewriter = HTMLRewriter.new()
    if document is not None:
        rewriter.onDocument(to_js(document))
    if selector:
        rewriter.on(selector, to_js(handlers))
    stream = rewriter.transform(JsResponse.new(page)).stream
    assert stream is not None
    return stream.data.decode()


def at(page: str, selector: str, change: Callable[[Any], object]) -> str:
    """The page after one change at the selected elements."""
    return rewritten(page, selector, element=lambda element: change(element) and None)


def selected(page: str, selector: str) -> list[str]:
    """The ids of what is selected."""
    found: list[str] = []
    at(page, selector, lambda element: found.append(element.getAttribute("id")))
    return found


# -- elements

CHANGES: list[tuple[Callable[[Any], object], str]] = [
    (lambda e: e.before("<1>").before("<b>", html=True), "&lt;1&gt;<b><p>in</p>"),
    (lambda e: e.after("1").after("2"), "<p>in</p>21"),
    (lambda e: e.prepend("1").prepend("2"), "<p>21in</p>"),
    (lambda e: e.append("1").append("2"), "<p>in12</p>"),
    (lambda e: e.append("a & b", to_js({"html": True})), "<p>ina & b</p>"),
    (lambda e: e.append("a & b", {"html": True}), "<p>ina &amp; b</p>"),  # a dict has no attributes: not an option
    (lambda e: e.setInnerContent("new"), "<p>new</p>"),
    (lambda e: e.replace("<i>", html=True).replace("x"), "x"),
    (lambda e: e.remove(), ""),
    (lambda e: e.removeAndKeepContent(), "in"),
    (lambda e: e.before("a").after("z").remove(), "az"),
    (lambda e: setattr(e, "tagName", "div"), "<div>in</div>"),
    (lambda e: e.setAttribute("title", 'a "b"'), '<p title="a &quot;b&quot;">in</p>'),
]


@pytest.mark.parametrize(("change", "page"), CHANGES)
def test_changes_of_an_element(change: Callable[[Any], object], page: str) -> None:
    """Content goes where it should, in lol-html's order, escaped unless it is HTML; the rest stays as written."""
    assert at("<!-- x --><p>in</p><BR>&amp;", "p", change) == f"<!-- x -->{page}<BR>&amp;"


def test_attributes() -> None:
    """Read as written, found whatever the case; an untouched one keeps its spelling in a tag that is written anew."""
    seen: list[Any] = []

    def element(one: Any) -> None:
        seen.extend([list(pair) for pair in one.attributes])
        seen.extend([one.getAttribute("HREF"), one.getAttribute("none"), one.hasAttribute("alt"), one.tagName])
        one.removeAttribute("Alt").setAttribute("b", "2")

    page = rewritten("<A href='?a=1&amp;b' ALT b=1 c=3>x</A>", "a", element=element)

    assert seen == [
        ["href", "?a=1&amp;b"],
        ["alt", ""],
        ["b", "1"],
        ["c", "3"],
        "?a=1&amp;b",
        jsnull,
        True,
        "a",
    ]
    assert page == "<a href='?a=1&amp;b' b=\"2\" c=3>x</A>"


def test_void_elements_and_end_tags() -> None:
    """What is put after a void element stands behind it; it has no end tag to wait for, others have."""
    assert at("<p><img>b</p>", "img", lambda e: e.after("a").append("not")) == "<p><img>ab</p>"
    with pytest.raises(JsException, match="No end tag"):
        at("<img>", "img", lambda e: e.onEndTag(create_proxy(print)))

    def ended(tag: Any) -> None:
        tag.before(f"{tag.name} ends")
        tag.after("!")

    assert at("<p>a</p>b", "p", lambda e: e.onEndTag(create_proxy(ended))) == "<p>ap ends</p>!b"
    assert at("<div><p>a</div>b", "p", lambda e: e.append("+")) == "<div><p>a+</div>b"  # closed by its parent


def test_handlers_see_what_is_removed() -> None:
    """Handlers run inside a removed element, but nothing of it is written."""
    seen: list[str] = []
    rewriter = HTMLRewriter.new().on("div", to_js({"element": lambda e: e.remove() and None}))
    rewriter.on("b", to_js({"element": lambda e: seen.append(e.before("x").tagName)}))
    stream = rewriter.transform(JsResponse.new("a<div><b>c</b></div>d")).stream

    assert stream is not None
    assert stream.data == b"ad"
    assert seen == ["b"]


# -- texts, comments, the document


def test_texts_come_whole_with_an_empty_last_piece() -> None:
    """Entities are left as they are; a text node ends in an empty piece with `lastInTextNode`."""
    seen: list[tuple[str, bool]] = []

    def text(piece: Any) -> None:
        seen.append((piece.text, piece.lastInTextNode))
        if piece.text == "b":
            piece.replace("<B>")

    page = rewritten("<p>a &amp; c<i>b</i></p>d", "p", text=text)

    assert seen == [("a &amp; c", False), ("", True), ("b", False), ("", True)]
    assert page == "<p>a &amp; c<i>&lt;B&gt;</i></p>d"


def test_comments_can_be_read_and_changed() -> None:
    """Those inside what is selected; a text that would end the comment is refused."""

    def comments(comment: Any) -> None:
        if comment.text == "bad":
            comment.text = "a --> b"
        comment.text = comment.text.upper()

    assert rewritten("<!--a--><p><!--b--></p>", "p", comments=comments) == "<!--a--><p><!--B--></p>"
    with pytest.raises(JsException, match="comment closing sequence"):
        rewritten("<p><!--bad--></p>", "p", comments=comments)


def test_the_document() -> None:
    """Its type, all its comments and texts, and its end, where content can be appended."""
    seen: list[Any] = []
    document: Handlers = {
        "doctype": lambda d: seen.append([d.name, d.publicId, d.systemId]),
        "comments": lambda c: seen.append(c.text),
        "text": lambda t: seen.append(t.text),
        "end": lambda e: e.append("<end>", html=True) and None,
    }
    page = rewritten('<!DOCTYPE html SYSTEM "about:legacy-compat"><!--c-->t', "", document)

    assert page == '<!DOCTYPE html SYSTEM "about:legacy-compat"><!--c-->t<end>'
    assert seen == [["html", jsnull, "about:legacy-compat"], "c", "t", ""]


def test_tokens_are_dead_after_their_handler() -> None:
    """Kept and used later, a token raises the platform's error."""
    kept: list[Any] = []
    rewritten("<p>a</p>", "p", element=kept.append, text=kept.append)

    for use in (lambda: kept[0].getAttribute("id"), lambda: kept[0].before("x"), lambda: kept[1].text):
        with pytest.raises(JsException, match="This content token is no longer valid"):
            use()


# -- selectors

PAGE = """<main id=m class="big red"><p id=p1 lang="en-GB" data-x="a b">1</p>
<div id=d><p id=p2 CLASS=red>2</p></div></main>
<p id=p3 title="Hello">3</p>"""


@pytest.mark.parametrize(
    ("selector", "ids"),
    [
        ("p", ["p1", "p2", "p3"]),
        ("P", ["p1", "p2", "p3"]),
        ("*", ["m", "p1", "d", "p2", "p3"]),
        (".red", ["m", "p2"]),
        ("p.red", ["p2"]),
        (".big.red", ["m"]),
        ("#p3", ["p3"]),
        ("main p", ["p1", "p2"]),
        ("main > p", ["p1"]),
        ("main div p", ["p2"]),
        ("div, #p3", ["d", "p3"]),
        ("[title]", ["p3"]),
        ('[title="Hello"]', ["p3"]),
        ("[title=hello]", []),
        ("[title=hello i]", ["p3"]),
        ("[title^=Hel]", ["p3"]),
        ("[title$=lo]", ["p3"]),
        ("[title*=ell]", ["p3"]),
        ("[title*='']", []),
        ("[lang|=en]", ["p1"]),
        ("[data-x~=b]", ["p1"]),
    ],
)
def test_selectors(selector: str, ids: list[str]) -> None:
    """Tags, classes, ids, attributes with every operator, descendants, children, lists."""
    assert selected(PAGE, selector) == ids


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ("", "The selector is empty."),
        ("p >", "Dangling combinator in selector."),
        ("p + a", "Unsupported combinator `+` in selector."),
        ("p & a", "Unexpected token in selector."),
    ],
)
def test_malformed_selectors(selector: str, text: str) -> None:
    """A TypeError with lol-html's text, at `on`."""
    with pytest.raises(JsException) as error:
        HTMLRewriter.new().on(selector, to_js({}))
    assert str(error.value) == f"TypeError: Parser error: {text}"


def test_pseudo_classes_are_said_to_be_missing() -> None:
    """The platform has some of them, dosim none."""
    with pytest.raises(NotImplementedError, match="no pseudo-classes"):
        HTMLRewriter.new().on("p:first-child", to_js({}))


# -- in a Worker


class Title:
    """As in Cloudflare's example: an object with state, behind create_proxy."""

    def __init__(self, title: str) -> None:
        self.title = title

    async def element(self, element: Any) -> None:
        element.setInnerContent(self.title)


def test_a_worker_returns_the_rewritten_response() -> None:
    """Status and headers stay; the response given is used up."""
    used: list[bool] = []

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            page = Response("<h1>old</h1>", status=202, headers={"content-type": "text/html"})
            answer = HTMLRewriter.new().on("h1", create_proxy(Title("new"))).transform(page.js_object)
            used.append(page.body_used)
            return answer

    sim = Simulation(Default, network=None)
    response = sim.run(sim.client().fetch("https://app.example/"))

    assert (response.status, response.headers["content-type"]) == (202, "text/html")
    assert sim.run(response.text()) == "<h1>new</h1>"
    assert used == [True]


def test_a_handler_without_a_proxy_fails() -> None:
    """The platform destroys what it was lent; the simulation says so when the handler is given."""

    class Default(WorkerEntrypoint):
        async def fetch(self, request: Any) -> Any:
            return HTMLRewriter.new().on("h1", Title("new")).transform(Response("<h1>old</h1>").js_object)

    sim = Simulation(Default, network=None)
    call = sim.client().fetch("https://app.example/")
    with pytest.warns(PortabilityWarning, match="create_proxy"):
        sim.run(call)
    assert "borrowed proxy was automatically destroyed" in str(call.error)

    friendly = Simulation(Default, network=None, portability="friendly")
    with pytest.warns(PortabilityWarning, match="create_proxy"):
        response = friendly.run(friendly.client().fetch("https://app.example/"))
    assert friendly.run(response.text()) == "<h1>new</h1>"


def test_what_transform_refuses() -> None:
    """A Python Response, an error response, a used one; a response without a body is handed back."""
    rewriter = HTMLRewriter.new()
    with pytest.raises(JsException, match="parameter 1 is not of type 'Response'") as error:
        rewriter.transform(Response("x"))
    assert "response.js_object" in error.value.__notes__[0]
    with pytest.raises(JsException, match="cannot transform an error response"):
        rewriter.transform(JsResponse.error())
    page = JsResponse.new("x")
    rewriter.transform(page)
    with pytest.raises(JsException, match="already been used"):
        rewriter.transform(page)
    empty = JsResponse.new(None)
    assert rewriter.transform(empty) is empty


def test_a_handler_that_waits_is_refused() -> None:
    """dosim rewrites in one go: an async handler may not wait."""
    import asyncio

    async def element(_: Any) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="waited for something at a Element"):
        rewritten("<p>", "p", element=element)


def test_bytes_that_are_no_text_go_through() -> None:
    """What nobody changes is not changed, whatever its encoding."""
    page = b"<p>\xe9\xff</p>"
    rewriter = HTMLRewriter.new().on("p", to_js({"element": lambda e: e.setAttribute("a", "1") and None}))
    stream = rewriter.transform(JsResponse.new(page)).stream

    assert stream is not None
    assert stream.data == b'<p a="1">\xe9\xff</p>'
