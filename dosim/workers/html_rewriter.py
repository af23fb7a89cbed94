"""`js.HTMLRewriter`: handlers that see a page's elements, texts and comments go by, and change them.

Behaviour and texts: workerd api/html-rewriter.c++ of August 2026 and its tests. Known differences: the page is
rewritten when `transform` is called, and not while its body is read; a handler may be `async`, but not wait for
anything; content is text, not a stream; a page is UTF-8.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from dosim.kernel.loop import SCOPE
from dosim.web.body import JsReadableStream
from dosim.web.errors import JsException, noted, type_error
from dosim.web.forms import options_of
from dosim.web.http import JsResponse
from dosim.web.interface import JsInterface, argument_text, interface_name
from dosim.web.proxies import JsArray, JsNull, JsObject, jsnull
from dosim.workers.ffi import PyProxy
from dosim.workers.html_selectors import Selector
from dosim.workers.html_tokens import Attribute, Token, tokens_of

_GONE = (
    "This content token is no longer valid. Content tokens are only valid during the execution of the relevant content"
    " handler."
)
_DESTROYED = (
    "This borrowed proxy was automatically destroyed at the end of a function call. Try using create_proxy or"
    " create_once_callable."
)
_VOID = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split()
)
_FOREIGN = {"svg": "http://www.w3.org/2000/svg", "math": "http://www.w3.org/1998/Math/MathML"}
_NOT_IN_A_TAG_NAME = re.compile(r"[ \n\r\t\f/>]")


class _Changes:
    """What handlers have asked for at one token."""

    def __init__(self) -> None:
        self.before: list[str] = []
        self.after: list[str] = []
        self.replacement: str | None = None
        self.removed = False

    def around(self, source: str) -> str:
        """The token's source with its changes."""
        middle = source if not self.removed else self.replacement or ""
        return "".join([*self.before, middle, *self.after])


class _Piece(JsInterface):
    """A token in the hands of a handler, and of nobody after."""

    def __init__(self, changes: _Changes) -> None:
        self._changes = changes
        self._valid = True

    def _now(self) -> _Changes:
        if not self._valid:
            raise type_error(_GONE)
        return self._changes


class _Replaceable(_Piece):
    """What can be removed, replaced, and have content put around it."""

    @property
    def removed(self) -> bool:
        return self._now().removed

    def before(self, content: object, options: object = None, **more: Any) -> Any:
        self._now().before.append(_content(content, options, more))
        return self

    def after(self, content: object, options: object = None, **more: Any) -> Any:
        self._now().after.insert(0, _content(content, options, more))
        return self

    def replace(self, content: object, options: object = None, **more: Any) -> Any:
        self.remove()
        self._now().replacement = _content(content, options, more)
        return self

    def remove(self) -> Any:
        self._now().removed = True
        return self


class Text(_Replaceable):
    """A piece of text, its entities not decoded; the last of a text node is empty and says `lastInTextNode`."""

    js_name = "Text"

    def __init__(self, text: str, last: bool) -> None:
        super().__init__(_Changes())
        self._text = text
        self._last = last

    @property
    def text(self) -> str:
        self._now()
        return self._text

    @property
    def lastInTextNode(self) -> bool:
        self._now()
        return self._last


class Comment(_Replaceable):
    """A comment; `text` can be set."""

    js_name = "Comment"

    def __init__(self, token: Token) -> None:
        super().__init__(_Changes())
        self._text = token.content
        self.source = token.source

    @property
    def text(self) -> str:
        self._now()
        return self._text

    @text.setter
    def text(self, text: object) -> None:
        self._now()
        self._text = argument_text(text)
        if "-->" in self._text:
            raise _parser_error("Comment text shouldn't contain comment closing sequence (`-->`).")
        self.source = f"<!--{self._text}-->"


class Doctype(_Piece):
    """The document's type, to read."""

    js_name = "Doctype"
    _PARTS = re.compile(
        r"""doctype\s*([^\s>]*)\s*(?:(public|system)\s*("[^"]*"|'[^']*')?\s*("[^"]*"|'[^']*')?)?""", re.IGNORECASE
    )

    def __init__(self, token: Token) -> None:
        super().__init__(_Changes())
        match = self._PARTS.match(token.content)
        name, kind, first, second = match.groups() if match is not None else (None, None, None, None)
        public = (kind or "").lower() == "public"
        self._parts = (name and name.lower(), first if public else None, second if public else first)

    @property
    def name(self) -> str | JsNull:
        return self._part(0)

    @property
    def publicId(self) -> str | JsNull:
        return self._part(1)

    @property
    def systemId(self) -> str | JsNull:
        return self._part(2)

    def _part(self, index: int) -> str | JsNull:
        self._now()
        part = self._parts[index]
        return part.strip("\"'") if part else jsnull


class DocumentEnd(_Piece):
    """The end of the page, where content can be appended."""

    js_name = "DocumentEnd"

    def append(self, content: object, options: object = None, **more: Any) -> DocumentEnd:
        self._now().before.append(_content(content, options, more))
        return self


class EndTag(_Piece):
    """An element's end tag, given to the handler of `element.onEndTag`."""

    js_name = "EndTag"

    def __init__(self, name: str) -> None:
        super().__init__(_Changes())
        self._name = name
        self.renamed = False

    @property
    def name(self) -> str:
        self._now()
        return self._name

    @name.setter
    def name(self, name: object) -> None:
        self._now()
        self._name, self.renamed = _tag_name(name), True

    def before(self, content: object, options: object = None, **more: Any) -> EndTag:
        self._now().before.append(_content(content, options, more))
        return self

    def after(self, content: object, options: object = None, **more: Any) -> EndTag:
        self._now().after.insert(0, _content(content, options, more))
        return self

    def remove(self) -> EndTag:
        self._now().removed = True
        return self


class Element(_Replaceable):
    """An element at its start tag."""

    js_name = "Element"

    def __init__(self, token: Token, namespace: str, *, void: bool) -> None:
        super().__init__(_Changes())
        self._token = token
        self._namespace = namespace
        self.void = void
        self.tag = token.name
        self.source = token.source
        self.prepended: list[str] = []
        self.appended: list[str] = []
        #: Whether what is inside goes: with the element, or to make place for other content.
        self.emptied = False
        self.end_handlers: list[Any] = []

    @property
    def tagName(self) -> str:
        self._now()
        return self.tag

    @tagName.setter
    def tagName(self, name: object) -> None:
        self._now()
        self.tag = _tag_name(name)
        self._write()

    @property
    def attributes(self) -> Iterator[JsArray]:
        self._now()
        return iter([JsArray([attribute.name, attribute.value]) for attribute in self._token.attributes])

    @property
    def namespaceURI(self) -> str:
        self._now()
        return self._namespace

    def getAttribute(self, name: object) -> str | JsNull:
        found = self._find(name)
        return jsnull if found is None else found.value

    def hasAttribute(self, name: object) -> bool:
        return self._find(name) is not None

    def setAttribute(self, name: object, value: object) -> Element:
        found = self._find(name)
        if found is None:
            found = Attribute(argument_text(name).lower(), "")
            self._token.attributes.append(found)
        found.value, found.source = argument_text(value), None
        self._write()
        return self

    def removeAttribute(self, name: object) -> Element:
        found = self._find(name)
        if found is not None:
            self._token.attributes.remove(found)
            self._write()
        return self

    def prepend(self, content: object, options: object = None, **more: Any) -> Element:
        self._now()
        self.prepended.insert(0, _content(content, options, more))
        return self

    def append(self, content: object, options: object = None, **more: Any) -> Element:
        self._now()
        self.appended.append(_content(content, options, more))
        return self

    def setInnerContent(self, content: object, options: object = None, **more: Any) -> Element:
        self._now()
        self.emptied, self.prepended, self.appended = True, [_content(content, options, more)], []
        return self

    def remove(self) -> Element:
        self._now().removed = self.emptied = True
        self.prepended, self.appended = [], []
        return self

    def removeAndKeepContent(self) -> Element:
        self._now().removed = True
        return self

    def onEndTag(self, handler: object) -> None:
        self._now()
        if self.void:
            raise _parser_error("No end tag.")
        self.end_handlers.append(_handler(handler, "Element.onEndTag(function)"))

    def _find(self, name: object) -> Attribute | None:
        self._now()
        key = argument_text(name).lower()
        return next((attribute for attribute in self._token.attributes if attribute.name == key), None)

    def _write(self) -> None:
        parts = [self.tag]
        for attribute in self._token.attributes:
            value = attribute.value.replace('"', "&quot;")
            parts.append(f'{attribute.name}="{value}"' if attribute.source is None else attribute.source)
        self.source = f"<{' '.join(parts)}{' />' if self._token.self_closing else '>'}"


class HTMLRewriter(JsInterface):
    """`HTMLRewriter.new().on(selector, handlers).onDocument(handlers).transform(response)`."""

    js_name = "HTMLRewriter"

    def __init__(self) -> None:
        self._elements: list[tuple[Selector, Any]] = []
        self._documents: list[Any] = []

    @classmethod
    def new(cls) -> HTMLRewriter:
        return cls()

    def on(self, selector: object, handlers: object) -> HTMLRewriter:
        """Call `element`, `comments` and `text` of `handlers` (a proxy) in what the selector selects.

        Raises TypeError for a malformed selector, NotImplementedError for one with pseudo-classes.
        """
        parsed = Selector(argument_text(selector))
        self._elements.append((parsed, _handler(handlers, "HTMLRewriter.on(selector, object)")))
        return self

    def onDocument(self, handlers: object) -> HTMLRewriter:
        """Call `doctype`, `comments`, `text` and `end` of `handlers` (a proxy) in the whole page."""
        self._documents.append(_handler(handlers, "HTMLRewriter.onDocument(object)"))
        return self

    def transform(self, response: object) -> JsResponse:
        """The response with its body rewritten; the one given is used up. Raises what a handler raises."""
        if not isinstance(response, JsResponse):
            error = type_error(
                "Failed to execute 'transform' on 'HTMLRewriter': parameter 1 is not of type 'Response'."
            )
            kind = interface_name(response) or type(response).__name__
            raise noted(error, f"It was given {kind}: of a workers.Response give response.js_object.")
        if response.type == "error":
            raise type_error("HTMLRewriter cannot transform an error response")
        stream = response.stream
        if stream is None:
            return response
        page = stream.take().decode("utf-8", "surrogateescape")
        rewritten = _Rewriting(self._elements, self._documents).run(page)
        body = JsReadableStream(rewritten.encode("utf-8", "surrogateescape"), length_known=False)
        return JsResponse.new(body, response)


class _Open:
    """An element whose end tag has not come: what selectors match against, and what is due at its end."""

    __slots__ = ("element", "handlers", "namespace", "tag", "values")

    def __init__(self, token: Token, namespace: str) -> None:
        self.tag = token.name
        self.namespace = namespace
        self.values = {attribute.name: attribute.value for attribute in reversed(token.attributes)}
        self.handlers: list[Any] = []
        self.element: Element | None = None


class _Rewriting:
    """One page on its way through the handlers."""

    def __init__(self, elements: list[tuple[Selector, Any]], documents: list[Any]) -> None:
        self._elements = elements
        self._documents = documents
        self._open: list[_Open] = []
        self._out: list[str] = []

    def run(self, page: str) -> str:
        step: dict[str, Callable[[Token], None]] = {
            "start": self._start,
            "end": self._end,
            "text": self._text,
            "comment": self._comment,
            "doctype": self._doctype,
        }
        for token in tokens_of(page):
            step.get(token.kind, self._pass)(token)
        end = DocumentEnd(_Changes())
        self._call(self._documents, "end", end)
        return "".join([*self._out, end._changes.around("")])

    def _emit(self, text: str) -> None:
        if not any(one.element is not None and one.element.emptied for one in self._open):
            self._out.append(text)

    def _pass(self, token: Token) -> None:
        self._emit(token.source)

    def _inside(self) -> list[Any]:
        """The handlers of all that is open, each once, in the order in which they were given; then the document's."""
        active = {id(handlers) for one in self._open for handlers in one.handlers}
        mine = {id(handlers): handlers for _, handlers in self._elements if id(handlers) in active}
        return [*mine.values(), *self._documents]

    def _start(self, token: Token) -> None:
        namespace = _FOREIGN.get(token.name) or (self._open[-1].namespace if self._open else "")
        one = _Open(token, namespace)
        path = [*self._open, one]
        one.handlers = [handlers for selector, handlers in self._elements if selector.matches(path)]
        void = token.name in _VOID or (token.self_closing and bool(namespace))
        if not one.handlers:
            self._emit(token.source)
        else:
            element = Element(token, namespace or "http://www.w3.org/1999/xhtml", void=void)
            self._call(one.handlers, "element", element)
            self._emit("".join(element._changes.before))
            self._emit((element._changes.replacement or "") if element._changes.removed else element.source)
            self._emit("".join(element._changes.after if void else element.prepended))
            one.element = element
        if not void:
            self._open.append(one)

    def _end(self, token: Token) -> None:
        names = [one.tag for one in self._open]
        if token.name not in names:
            self._emit(token.source)
            return
        while self._open[-1].tag != token.name:
            self._close(self._open.pop(), "", token.name)
        self._close(self._open.pop(), token.source, token.name)

    def _close(self, one: _Open, source: str, name: str) -> None:
        """The element has ended: with its own end tag, or, its `source` being empty, with an outer one's."""
        element = one.element
        if element is None:
            self._emit(source)
            return
        tag = EndTag(element.tag)
        for handler in element.end_handlers:
            _run(handler, tag)
        tag._valid = False
        if source and (element.tag != name or tag.renamed):
            source = f"</{tag._name}>"
        if element._changes.removed:
            source = ""
        self._emit("".join([*element.appended, tag._changes.around(source), *element._changes.after]))

    def _text(self, token: Token) -> None:
        handlers = self._inside()
        for text, last in ((token.source, False), ("", True)):
            piece = Text(text, last)
            self._call(handlers, "text", piece)
            self._emit(piece._changes.around(text))

    def _comment(self, token: Token) -> None:
        piece = Comment(token)
        self._call(self._inside(), "comments", piece)
        self._emit(piece._changes.around(piece.source))

    def _doctype(self, token: Token) -> None:
        self._call(self._documents, "doctype", Doctype(token))
        self._emit(token.source)

    def _call(self, handlers: list[Any], name: str, piece: _Piece) -> None:
        for one in handlers:
            if (handler := getattr(one, name, None)) is not None:
                _run(handler, piece)
        piece._valid = False


# -- handlers


def _handler(handlers: object, call: str) -> Any:
    """Handlers that JavaScript can keep: a proxy, or a JavaScript object."""
    if isinstance(handlers, (PyProxy, JsObject)):
        return handlers
    scope: Any = SCOPE.get()
    if scope is not None and scope.owner.world.portability(
        f"{call} fails when the page is rewritten: JavaScript's proxy of the argument is destroyed when the call ends",
        "create_proxy(object), or to_js({...}) of a dict of functions",
    ):
        return JsObject(handlers) if isinstance(handlers, dict) else handlers
    return _Destroyed()


class _Destroyed:
    """A Python value that JavaScript was lent for one call, and used after."""

    def __getattr__(self, name: str) -> NoReturn:
        raise JsException(_DESTROYED)

    def __call__(self, *_: object) -> NoReturn:
        raise JsException(_DESTROYED)


def _run(handler: Any, piece: _Piece) -> None:
    """Call a handler; an `async` one must end without waiting. Raises RuntimeError if it waits."""
    result = handler(piece)
    if inspect.iscoroutine(result):
        try:
            result.send(None)
        except StopIteration:
            return
        result.close()
        raise RuntimeError(
            f"an async handler of HTMLRewriter waited for something at a {piece.js_name}: dosim rewrites a page in one"
            " go. Await what the handlers need before transform(response)."
        )


def _content(content: object, options: object, more: dict[str, Any]) -> str:
    """Content as it goes into the page: escaped, unless the option `html` says that it is HTML."""
    text = argument_text(content)
    if options_of(options, more, ("html",)).get("html"):
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _tag_name(name: object) -> str:
    text = argument_text(name)
    if not text:
        raise _parser_error("Tag name can't be empty.")
    if (bad := _NOT_IN_A_TAG_NAME.search(text)) is not None:
        raise _parser_error(f"`{bad[0]}` character is forbidden in the tag name")
    return text


def _parser_error(text: str) -> JsException:
    return type_error(f"Parser error: {text}")
