"""Arguments of the command line: how they are read, and how one that cannot be is refused."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


class Refused(Exception):
    """An argument that cannot be: its text is the paragraph that is printed."""


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number: write it in digits, such as 10") from None


def positive(text: str) -> int:
    number = whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not possible: give 1 or more")
    return number


def check_writable(path: str | None, option: str) -> None:
    """Refuse a file that cannot be written, before anything is run."""
    if path is None:
        return
    file = Path(path)
    folder = file.parent
    if file.is_dir():
        raise Refused(f"{option} {path!r} is a folder: name a file in it, such as {file / 'out.png'}.")
    if not folder.is_dir():
        raise Refused(f"{option} {path!r} cannot be written, there is no folder {str(folder)!r}: make it first.")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise Refused(f"{option} {path!r} cannot be written: it is not permitted. Name another file.")
