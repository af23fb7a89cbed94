"""What every JavaScript platform object shares when Python holds it: `.constructor.name` and a text.

User code and Cloudflare's SDK tell JavaScript values apart by `value.constructor.name`, so each class here names its
JavaScript interface. Objects are made with `.new(...)`, as Pyodide makes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from dosim.web.values import js_text


@dataclass(frozen=True, slots=True)
class Constructor:
    """The `constructor` property of a JavaScript object, as far as anybody reads it."""

    name: str


class JsInterface:
    """A JavaScript platform object; subclasses set `js_name`, the name of its interface."""

    __slots__ = ()
    js_name: ClassVar[str] = "Object"
    constructor: ClassVar[Constructor] = Constructor("Object")

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.constructor = Constructor(cls.js_name)
        cls.__name__ = "JsProxy"  # what Python calls every JavaScript object (recorded)

    def toString(self) -> str:
        return f"[object {self.constructor.name}]"

    def __str__(self) -> str:
        return self.toString()

    def __repr__(self) -> str:
        return self.toString()


def interface_name(value: object) -> str | None:
    """`value.constructor.name`, None for what is no JavaScript object."""
    name = getattr(getattr(value, "constructor", None), "name", None)
    return name if isinstance(name, str) else None


def argument_text(value: object) -> str:
    """The text JavaScript makes of an argument: None is "undefined", a Python object is its `str()`."""
    if isinstance(value, str):
        return str.__str__(value)
    if value is None:
        return "undefined"
    if isinstance(value, (bool, int, float)):
        return js_text(value)
    to_string = getattr(value, "toString", None)
    return str(to_string()) if callable(to_string) else str(value)


def argument_int(value: object) -> int:
    """The integer JavaScript makes of an argument: what is no number is 0."""
    if isinstance(value, int):
        return int(value)
    try:
        number = value if isinstance(value, float) else float(argument_text(value).strip() or "0")
    except ValueError:
        return 0
    return int(number) if math.isfinite(number) else 0


def utf8(text: str) -> bytes:
    """UTF-8 of a JavaScript string: a lone surrogate becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
