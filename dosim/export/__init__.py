"""Exports: a trace in the formats of other tools, the same bytes for the same run.

`save(source, "run.json")` writes a file, its format by its name; the functions give the same as a value. JSON lines
(`Trace.to_jsonl`) lose nothing and are read back by `Trace.from_jsonl`; the others are for looking.
"""

from __future__ import annotations

from dosim.export.chrome import to_chrome
from dosim.export.files import FORMATS, format_of, save
from dosim.export.frames import rows, to_dataframe
from dosim.export.mermaid import to_mermaid
from dosim.export.otlp import to_otlp
from dosim.export.shiviz import to_shiviz
from dosim.trace.compare import Difference, diff

__all__ = [
    "FORMATS",
    "Difference",
    "diff",
    "format_of",
    "rows",
    "save",
    "to_chrome",
    "to_dataframe",
    "to_mermaid",
    "to_otlp",
    "to_shiviz",
]
