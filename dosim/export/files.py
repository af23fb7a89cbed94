"""`save`: a trace to a file, in the format that the file's name ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from dosim.export.chrome import chrome_text
from dosim.export.mermaid import to_mermaid
from dosim.export.otlp import otlp_text
from dosim.export.shiviz import shiviz_text
from dosim.export.sources import exported
from dosim.trace.files import writing

#: Format -> what its files' names end in.
FORMATS: Final = {
    "chrome": ".json",
    "shiviz": ".shiviz.log",
    "mermaid": ".mmd",
    "otlp": ".otlp.json",
    "jsonl": ".jsonl",
}

_TEXTS: Final[dict[str, Callable[[object], Iterable[str]]]] = {
    "chrome": chrome_text,
    "shiviz": shiviz_text,
    "mermaid": lambda source: (to_mermaid(source),),
    "otlp": otlp_text,
}


def format_of(path: str | Path) -> str | None:
    """The format that a file's name ends in; None if it is the name of none."""
    fitting = [name for name, suffix in FORMATS.items() if Path(path).name.lower().endswith(suffix)]
    return max(fitting, key=lambda name: len(FORMATS[name]), default=None)


def save(source: object, path: str | Path, format: str | None = None) -> None:  # noqa: A002
    """Write a simulation's trace, or a trace, to a file.

    format: "chrome" (run.json, for Perfetto), "shiviz" (run.shiviz.log), "mermaid" (run.mmd), "otlp" (run.otlp.json) or
    "jsonl" (run.jsonl, which loses nothing); None: by the file's name. Raises ValueError for a format or name that is
    none of these and for a trace that keeps nothing, TypeError for another source, OSError that names the path when it
    cannot be written.
    """
    trace = exported(source)
    chosen = format_of(path) if format is None else format
    if not isinstance(chosen, str) or chosen not in FORMATS:
        told = (
            f"{str(path)!r} does not tell a format" if format is None else f"format={format!r} is no format of a trace"
        )
        named = ", ".join(f"{name} ({suffix})" for name, suffix in FORMATS.items())
        raise ValueError(f"{told}: use one of {named}, as the end of the file's name or as format=.")
    if chosen == "jsonl":
        trace.to_jsonl(path)
        return
    with writing(path) as file:
        file.writelines(_TEXTS[chosen](trace))
