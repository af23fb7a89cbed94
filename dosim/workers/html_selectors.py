"""The CSS selectors of `HTMLRewriter`: tag, `*`, `.class`, `#id`, `[attr]` with its operators, descendant, child, list.

Texts of the errors: lol-html's, as workerd passes them on. Pseudo-classes, which lol-html has a few of, are not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dosim.web.errors import JsException, type_error

_NAME = r"(?:[\w-]|[^\x00-\x7f]|\\.)+"
_SIMPLE = re.compile(
    rf"""(?P<tag>{_NAME}|\*) | \.(?P<class>{_NAME}) | \#(?P<id>{_NAME})
    | \[\s*(?P<attr>{_NAME})\s*(?:(?P<op>[~|^$*]?=)\s*(?:"(?P<dq>[^"]*)"|'(?P<sq>[^']*)'|(?P<bare>{_NAME}))
      \s*(?P<flag>[iIsS])?\s*)?\]""",
    re.VERBOSE,
)
_COMBINATOR = re.compile(r"\s*([>+~,])\s*|\s+")

_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=": str.__eq__,
    "~=": lambda has, value: value in has.split(),
    "|=": lambda has, value: has == value or has.startswith(f"{value}-"),
    "^=": lambda has, value: bool(value) and has.startswith(value),
    "$=": lambda has, value: bool(value) and has.endswith(value),
    "*=": lambda has, value: bool(value) and value in has,
}


class Node(Protocol):
    """An open element as selectors see it: names in lower case, values as they are written in the page."""

    @property
    def tag(self) -> str: ...

    @property
    def values(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class _Test:
    """One condition on an attribute; without an operator it has to be there."""

    name: str
    operator: str = ""
    value: str = ""
    ignore_case: bool = False

    def matches(self, values: Mapping[str, str]) -> bool:
        has = values.get(self.name)
        if has is None or not self.operator:
            return has is not None
        value = self.value
        if self.ignore_case:
            has, value = has.lower(), value.lower()
        return _OPERATORS[self.operator](has, value)


@dataclass(slots=True)
class _Compound:
    """What one element has to be; `child`: the compound before it is its parent, not any ancestor."""

    child: bool = False
    tag: str = "*"
    tests: list[_Test] = field(default_factory=list)
    empty: bool = True

    def matches(self, node: Node) -> bool:
        return self.tag in ("*", node.tag) and all(test.matches(node.values) for test in self.tests)


class Selector:
    """A parsed selector.

    Raises JsException named TypeError for a malformed one, NotImplementedError for a pseudo-class.
    """

    def __init__(self, text: str) -> None:
        self._alternatives = _parse(text)

    def matches(self, path: Sequence[Node]) -> bool:
        """Whether the last element of a path from the root is selected."""
        return any(_matches(compounds, path) for compounds in self._alternatives)


def _matches(compounds: Sequence[_Compound], path: Sequence[Node]) -> bool:
    last = compounds[-1]
    if not path or not last.matches(path[-1]):
        return False
    if len(compounds) == 1:
        return True
    ends = [len(path) - 1] if last.child else range(len(path) - 1, 0, -1)
    return any(_matches(compounds[:-1], path[:end]) for end in ends)


def _parse(text: str) -> list[list[_Compound]]:
    if not text.strip():
        raise _error("The selector is empty.")
    source, at = text.strip(), 0
    alternatives = [[_Compound()]]
    while at < len(source):
        if (simple := _SIMPLE.match(source, at)) is not None:
            _add(alternatives[-1][-1], simple)
            at = simple.end()
        elif (combinator := _COMBINATOR.match(source, at)) is not None:
            _combine(alternatives, combinator[1])
            at = combinator.end()
        elif source[at] == ":":
            raise NotImplementedError(
                f"HTMLRewriter.on({text!r}): dosim's selectors have tags, classes, ids, attributes, descendants and"
                " children, and no pseudo-classes: select more and decide in the handler."
            )
        else:
            raise _error("Unexpected token in selector.")
    if any(compound.empty for compounds in alternatives for compound in compounds):
        raise _error("Dangling combinator in selector.")
    return alternatives


def _add(compound: _Compound, simple: re.Match[str]) -> None:
    if simple["tag"]:
        if not compound.empty:
            raise _error("Unexpected token in selector.")
        compound.tag = _plain(simple["tag"]).lower()
    elif simple["class"]:
        compound.tests.append(_Test("class", "~=", _plain(simple["class"])))
    elif simple["id"]:
        compound.tests.append(_Test("id", "=", _plain(simple["id"])))
    else:
        value = next((simple[kind] for kind in ("dq", "sq", "bare") if simple[kind] is not None), "")
        ignore_case = (simple["flag"] or "").lower() == "i"
        compound.tests.append(_Test(_plain(simple["attr"]).lower(), simple["op"] or "", _plain(value), ignore_case))
    compound.empty = False


def _combine(alternatives: list[list[_Compound]], combinator: str | None) -> None:
    if alternatives[-1][-1].empty:
        raise _error("Dangling combinator in selector.")
    if combinator in ("+", "~"):
        raise _error(f"Unsupported combinator `{combinator}` in selector.")
    if combinator == ",":
        alternatives.append([_Compound()])
    else:
        alternatives[-1].append(_Compound(child=combinator == ">"))


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _error(text: str) -> JsException:
    return type_error(f"Parser error: {text}")
