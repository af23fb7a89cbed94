"""`dosim new FOLDER`: a small project to begin with, which dosim and the real platform run as it is.

Its files are those below `template/`, with the project's own name in them.
"""

from __future__ import annotations

import re
from pathlib import Path

from dosim.project.errors import ProjectError

TEMPLATE = Path(__file__).parent / "template"
#: What stands in the template for the project's name, and files that are called otherwise there.
_PLACEHOLDER = "PROJECT-NAME"
_RENAMED = {"gitignore": ".gitignore"}
#: A Worker's name. Wrangler wants letters, digits, - and _ in lower case; the name of a Python project (PEP 508), and
#: a name in workers.dev, neither begins nor ends with a - (developers.cloudflare.com/workers/configuration/routing).
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def new_project(folder: str | Path) -> list[str]:
    """Write a project into `folder`, which is made, or is empty; returns the files' paths in it.

    Raises ProjectError for a folder that is not empty or cannot be made, and for one whose name no Worker can have.
    """
    root = Path(folder).expanduser().resolve()
    _check_name(root.name)
    _check_empty(root)
    texts = _texts(root.name)
    try:
        for name, text in texts.items():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{str(root)!r} cannot be written ({error.strerror}): name another folder.") from None
    return list(texts)


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name):
        return
    usable = re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-") or "my-worker"
    raise ProjectError(
        f"{name!r} is no name for a Worker: it has lower case letters, digits and dashes between them, at most 63."
        f" Call the folder {usable}."
    )


def _check_empty(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise ProjectError(f"{str(root)!r} is a file: name a folder that does not exist yet.")
    if root.is_dir() and any(root.iterdir()):
        raise ProjectError(f"{str(root)!r} is not empty: name a folder that does not exist yet, or is empty.")


def _texts(name: str) -> dict[str, str]:
    """The files of a project of this name, by their paths in it."""
    texts = {}
    for path in sorted(TEMPLATE.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            place = _RENAMED.get(path.name, path.relative_to(TEMPLATE).as_posix())
            texts[place] = path.read_text(encoding="utf-8").replace(_PLACEHOLDER, name)
    return texts
