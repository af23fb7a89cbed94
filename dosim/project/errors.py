"""What is wrong with a project folder, said in one paragraph: the argument or file, the place, the fix."""

from __future__ import annotations


class ProjectError(ValueError):
    """A project folder cannot be run: a file is missing or malformed, or needs what this dosim or this Python lacks."""


class UnsupportedBinding(ProjectError):
    """The configuration asks for binding types that dosim does not have; `kinds` are their configuration keys."""

    def __init__(self, message: str, kinds: tuple[str, ...]) -> None:
        super().__init__(message)
        self.kinds = kinds
