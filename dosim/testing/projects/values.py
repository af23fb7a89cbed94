"""Arguments for methods without a test: guessed from annotations, defaults and names; few, so that they meet."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

TEXTS: Final = ("x", "y")
_OF_TYPES: Final[dict[Any, tuple[Any, ...]]] = {
    str: TEXTS,
    int: (1, 2),
    float: (1.5, 0.5),
    bool: (True, False),
    list: (["x"], ["y", "z"]),
    dict: ({"x": 1}, {"y": 2}),
    type(None): (None,),
    bytes: (b"x",),
}
_NAMED: Final = {annotation.__name__: values for annotation, values in _OF_TYPES.items()} | {"None": (None,)}
#: Parameters by the words of their names, when nothing else says what they take.
_BY_NAME: Final = (
    (r"(_|\b)(ms|millis|delay)$", (1_000,)),
    (r"(_|\b)(ttl|seconds|secs|timeout)$", (1,)),
    (r"^(n|i|k|by|offset|page|delta|step|qty|quantity|score|points)$", (1, 2)),
    (r"(^|_)(count|number|amount|size|limit|price|cents|index)$", (1, 2)),
    (r"^(flag|enabled|done|on|force|active)$|^is_", (True, False)),
    (r"^(items|names|keys|ids|values|rows|entries|tags|list)$", (["x"], ["y", "z"])),
    (r"^(data|payload|body|event|options|config|meta|state|obj|props|settings|record|entry)$", ({"x": 1}, {"y": 2})),
)  # fmt: skip
_MOST_WORDS: Final = 6
#: What is tried for a parameter that nothing is known of.
GUESSES: Final = (TEXTS, (1, 2), ({"x": 1}, {"y": 2}), (["x"], ["y", "z"]))


def parameters_of(method: Any) -> list[inspect.Parameter] | str:
    """The parameters that a caller gives, self left out; a text that says why it cannot be called."""
    try:
        parameters = list(inspect.signature(method).parameters.values())[1:]
    except (TypeError, ValueError):
        return "its signature cannot be read"
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if needed:
        return f"it needs {', '.join(needed)} by keyword"
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def known_values(parameter: inspect.Parameter) -> tuple[Any, ...]:
    """Values for a parameter by its annotation, its default or its name; () when none of them says."""
    if parameter.annotation is not parameter.empty:
        values = of_annotation(parameter.annotation)
        if values:
            return values
    default = parameter.default
    if default is not parameter.empty and default is not None and type(default) in _OF_TYPES:
        others = [value for value in _OF_TYPES[type(default)] if value != default]
        return (default, *others[:1])
    named = next((values for pattern, values in _BY_NAME if re.search(pattern, parameter.name)), ())
    return named or (() if default is parameter.empty else (default,))


def of_annotation(annotation: Any) -> tuple[Any, ...]:
    """Values of a type, given as such or as its text; () for one that is not plain."""
    if isinstance(annotation, str):
        words = [word.strip() for word in re.sub(r"\[.*\]", "", annotation).split("|")]
        if annotation.startswith("Optional["):
            words = [annotation[9:-1], "None"]
        return tuple(value for word in words for value in _NAMED.get(word.rpartition(".")[2], ()))
    origin, within = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return within
    if origin in (typing.Union, types.UnionType):
        return tuple(value for one in within for value in of_annotation(one))
    return _OF_TYPES.get(origin or annotation, ())


def guesses(
    parameters: Sequence[inspect.Parameter], words: Mapping[str, Iterable[str]], most: int = 16
) -> list[tuple[tuple[Any, ...], ...]]:
    """What to try for a method: for every parameter its values; the likeliest first.

    words: name of a parameter -> the texts that the source compares it with.
    """
    found: list[tuple[tuple[Any, ...], ...]] = [()]
    for parameter in parameters:
        known = known_values(parameter)
        compared = tuple(words.get(parameter.name, ()))
        if compared and (not known or isinstance(known[0], str)):
            known = (*compared[:_MOST_WORDS], TEXTS[0])
        options = (known,) if known else GUESSES
        found = [(*rest, values) for values in options for rest in found]
    return found[:most]
