"""Errors and warnings of the sandbox itself; the platform's own are in `dosim.web.errors`."""

from __future__ import annotations


class Deadlock(RuntimeError):
    """The run cannot go on: everything waits for something that never comes. The text draws who waits for whom."""


class ForkError(RuntimeError):
    """The past could not be lived again: the text names the first record that came out differently, and the fix."""


class PortabilityWarning(UserWarning):
    """The platform accepts this silently and does something else than it says; the text names the portable spelling."""


class PortabilityError(TypeError):
    """A silent trap of the platform, raised because the simulation has `portability="error"`."""
