"""Durable Object ids: 64 hex digits that carry their own proof of belonging to a namespace.

Recorded (workerd): k = SHA-256(unique key); a = HMAC-SHA-256(k, name)[:16]; id = a + HMAC-SHA-256(k, a)[:16].
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from dosim.web.errors import JsException, type_error

#: Longer names (UTF-8 bytes) are not carried into the object: `ctx.id.name` is undefined there (recorded).
NAME_CARRIED_BYTES = 1024
#: Ids of names that are kept, so that a stub of the same name costs no hashing.
NAMES_KEPT = 1024
_HEX = frozenset("0123456789abcdef")


class DurableObjectId:
    """An object's id: `str(id)`, `id.name`, `id.equals(other)`. As a JsProxy, `==` is False and it cannot be hashed."""

    __slots__ = ("_hex", "jurisdiction", "name", "namespace")

    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        hex_digits: str,
        name: str | None = None,
        jurisdiction: str | None = None,
        namespace: IdFactory | None = None,
    ) -> None:
        self._hex = hex_digits
        self.namespace = namespace
        self.name = name
        self.jurisdiction = jurisdiction

    def toString(self) -> str:
        return self._hex

    __str__ = toString

    def equals(self, other: DurableObjectId) -> bool:
        """True when both name the same object: only the bytes count (recorded)."""
        return isinstance(other, DurableObjectId) and other._hex == self._hex

    def __eq__(self, other: object) -> bool:
        return other is self

    def __repr__(self) -> str:
        named = f", name={self.name!r}" if self.name is not None else ""
        return f"DurableObjectId({self._hex[:8]}…{named})"


class IdFactory:
    """Makes and checks the ids of one namespace, from its unique key (`<worker>-<Class>`).

    An id carries its jurisdiction: it is sealed with a key of its own for each.
    """

    def __init__(self, unique_key: str, jurisdictions: tuple[str, ...] = ()) -> None:
        self._keys: dict[str | None, bytes] = {None: sha256(unique_key.encode()).digest()}
        for jurisdiction in jurisdictions:
            self._keys[jurisdiction] = sha256(f"{unique_key}\0{jurisdiction}".encode()).digest()
        self._named: dict[tuple[str, str | None], str] = {}

    def _seal(self, a: bytes, jurisdiction: str | None) -> str:
        return (a + hmac.digest(self._keys[jurisdiction], a, "sha256")[:16]).hex()

    def from_name(self, name: str, jurisdiction: str | None = None) -> DurableObjectId:
        """The id of this name; in a jurisdiction the same name is another object."""
        hex_digits = self._named.get((name, jurisdiction))
        if hex_digits is None:
            if len(self._named) >= NAMES_KEPT:
                self._named.clear()
            a = hmac.digest(self._keys[jurisdiction], name.encode("utf-8", "surrogatepass"), "sha256")[:16]
            hex_digits = self._named[name, jurisdiction] = self._seal(a, jurisdiction)
        return DurableObjectId(hex_digits, name, jurisdiction, self)

    def unique(self, random_bytes: bytes, jurisdiction: str | None = None) -> DurableObjectId:
        """A new id from 16 random bytes."""
        return DurableObjectId(self._seal(random_bytes, jurisdiction), None, jurisdiction, self)

    def from_string(self, text: str) -> DurableObjectId:
        """The id with these 64 hex digits. Raises the platform's TypeErrors (recorded)."""
        hex_digits = text.lower()
        if len(hex_digits) != 64 or not _HEX.issuperset(hex_digits):
            raise type_error("Invalid Durable Object ID: must be 64 hex digits")
        a = bytes.fromhex(hex_digits[:32])
        for jurisdiction in self._keys:
            if self._seal(a, jurisdiction) == hex_digits:
                return DurableObjectId(hex_digits, None, jurisdiction, self)
        raise type_error("Durable Object ID is not valid for this namespace.")


def object_name(name: str | None) -> str | None:
    """The name as the object itself sees it."""
    if name is not None and len(name.encode("utf-8", "surrogatepass")) > NAME_CARRIED_BYTES:
        return None
    return name


def not_an_id(what: str) -> JsException:
    """The refusal of `get(x)` for an x that is no id (recorded)."""
    return type_error(
        f"Failed to execute '{what}' on 'DurableObjectNamespace': parameter 1 is not of type 'DurableObjectId'."
    )
