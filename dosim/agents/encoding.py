"""JSON as JavaScript writes it, names as URLs have them, ids as the SDK makes them."""

from __future__ import annotations

import json
import secrets
import string
from typing import Any

#: The letters of nanoid.
_LETTERS = string.ascii_letters + string.digits + "_-"


def to_json(value: object, what: str) -> str:
    """The JSON text of a value. Raises TypeError that names `what`: not JSON, a circle, NaN or infinity."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"{what} cannot be serialised as JSON: {error}. Use dict, list, str, int, float, bool and None; a datetime"
            " as value.isoformat(), bytes as base64 text."
        ) from error


def parse_json(text: object) -> Any:
    """What a JSON text says; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def kebab_case(name: str) -> str:
    """`ChatRoom` and `CHAT_ROOM` as `chat-room`: how URLs spell a binding. Source: `camelCaseToKebabCase`."""
    if name == name.upper() and name != name.lower():
        return name.lower().replace("_", "-")
    parts = "".join(f"-{letter.lower()}" if "A" <= letter <= "Z" else letter for letter in name)
    return parts.removeprefix("-").replace("_", "-").removesuffix("-")


def new_id(length: int = 21) -> str:
    """A random id, as nanoid makes it."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
