"""Named random streams of keyed draws.

A draw is a function of (seed, stream, key): changing one decision does not shift the others, and no draw depends on
how many were made before it. `network` and `faults` belong to the platform, `user` to the code that is simulated.
"""

from __future__ import annotations

from hashlib import blake2b

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_UNIT = 1.0 / (1 << 53)


def mix64(x: int) -> int:
    """SplitMix64's finaliser (Steele, Lea, Flood 2014): 64 bits in, 64 well-mixed bits out."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
    return x ^ (x >> 31)


class Stream:
    """One named stream: `uniform(key...)` in [0, 1), `bits(key...)` 64 bits."""

    __slots__ = ("_base", "name")

    def __init__(self, seed: int | str, name: str) -> None:
        self.name = name
        self.reseed(seed)

    def reseed(self, seed: int | str) -> None:
        """Draw as the stream of this name does under another seed, from now on."""
        digest = blake2b(f"{seed}\0{self.name}".encode(), digest_size=8).digest()
        self._base = int.from_bytes(digest, "big")

    def bits(self, key: int, part: int = 0) -> int:
        """64 bits drawn for this key."""
        return mix64(mix64(self._base + key * _GOLDEN & _MASK) + part * _GOLDEN & _MASK)

    def uniform(self, key: int, part: int = 0) -> float:
        """A number in [0, 1) drawn for this key: one that is mixed well already, as a call's is."""
        x = self._base + key + part * _GOLDEN & _MASK
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
        return ((x ^ (x >> 31)) >> 11) * _UNIT
