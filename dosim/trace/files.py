"""Files that hold traces: the header of a file of records, and what is said of a path that cannot be written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Final, TextIO

#: The version of the files that `Trace.to_jsonl` writes. It goes up when an older dosim would misread a new file.
SCHEMA_VERSION: Final = 1
_VERSION_KEY: Final = "dosim_trace"


@contextmanager
def writing(path: str | Path) -> Iterator[TextIO]:
    """A text file to write, UTF-8 with plain line feeds. Raises OSError that names the path if it cannot be written.

    Raises TypeError for what is no path.
    """
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"path={path!r} is no path: give a str or a Path.")
    try:
        with Path(path).open("w", encoding="utf-8", newline="\n") as file:
            yield file
    except OSError as error:
        told = type(error)(f"{str(path)!r} cannot be written ({error.strerror or error}): name another file.")
        told.errno = error.errno
        raise told from None


def header(retention: str, count: int) -> str:
    """The first line of a file of records: its version, what was kept of how many records."""
    said = {_VERSION_KEY: SCHEMA_VERSION, "retention": retention, "count": count}
    return json.dumps(said, separators=(",", ":"))


def read_header(line: str, path: str | Path) -> tuple[str, int] | None:
    """(retention, count) if this line is a header; None for any other line.

    Raises ValueError for a header of a newer version, naming both versions, and for one that lacks something.
    """
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or _VERSION_KEY not in said:
        return None
    version, retention, count = said[_VERSION_KEY], said.get("retention"), said.get("count")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ValueError(
            f"{path} is a trace of version {version}, from a newer dosim; this one reads up to version"
            f" {SCHEMA_VERSION}: update dosim, or write the file again with this one."
        )
    if not isinstance(version, int) or version < 1 or not isinstance(retention, str) or not isinstance(count, int):
        raise ValueError(f"{path}, line 1 is no header of a trace: it needs {header('full', 0)} with your numbers.")
    return retention, count
