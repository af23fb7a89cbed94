"""Which Python the platform runs a project on, and whether an error means that this Python is too old for it.

The platform's Python follows the compatibility date. A source written for it may use syntax, or names of the
standard library, that the running Python lacks: `needs_newer` tells that from a plain mistake.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType

from dosim.project.errors import ProjectError

Version = tuple[int, int]

#: (first compatibility date, flag that asks for it earlier, Python), newest first.
#: Source: workers-py `pywrangler/metadata.py`; workerd `compatibility-date.capnp`, November 2026.
PLATFORM_PYTHONS = (
    ("2026-09-08", "python_workers_314", "3.14"),
    ("2025-09-29", "python_workers_20250116", "3.13"),
)
OLDEST_PLATFORM_PYTHON = "3.12"

#: Modules that left the standard library, by the Python that no longer has them (docs.python.org, What's New).
REMOVED_MODULES: dict[Version, frozenset[str]] = {
    (3, 12): frozenset("asynchat asyncore distutils imp smtpd".split()),
    (3, 13): frozenset(
        "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd "
        "sunau telnetlib uu xdrlib".split()
    ),
}
#: Modules that joined it.
ADDED_MODULES: dict[str, Version] = {
    "annotationlib": (3, 14),
    "compression": (3, 14),
    "concurrent.interpreters": (3, 14),
    "dbm.sqlite3": (3, 13),
    "pathlib.types": (3, 14),
    "string.templatelib": (3, 14),
}
#: Names that joined a module of it. A name that is not here counts as the platform's own Python's.
ADDED_NAMES: dict[Version, frozenset[str]] = {
    (3, 12): frozenset(
        "calendar.Month calendar.Day collections.abc.Buffer inspect.BufferFlags inspect.markcoroutinefunction "
        "itertools.batched math.sumprod types.get_original_bases typing.TypeAliasType typing.override "
        "sqlite3.Blob".split()
    ),
    (3, 13): frozenset(
        "asyncio.QueueShutDown copy.replace pathlib.UnsupportedOperation queue.ShutDown types.CapsuleType "
        "typing.NoDefault typing.ReadOnly typing.TypeIs typing.get_protocol_members typing.is_protocol "
        "warnings.deprecated math.fma random.main base64.z85encode base64.z85decode".split()
    ),
    (3, 14): frozenset(
        "functools.Placeholder typing.evaluate_forward_ref uuid.uuid6 uuid.uuid7 uuid.uuid8 uuid.NIL uuid.MAX "
        "asyncio.capture_call_graph asyncio.print_call_graph asyncio.format_call_graph io.Reader io.Writer "
        "operator.is_none operator.is_not_none heapq.heapify_max heapq.heappush_max heapq.heappop_max "
        "inspect.ispackage".split()
    ),
}


@dataclass(frozen=True, slots=True)
class _Need:
    """A place in the project that asks for Python `version`, because of `what` (empty when only guessed)."""

    file: Path
    line_number: int
    version: Version
    what: str
    problem: str


def platform_python(date: str, flags: tuple[str, ...] = ()) -> str:
    """The Python that the platform runs at this compatibility date and these flags: "3.12", "3.13" or "3.14"."""
    for first_date, flag, version in PLATFORM_PYTHONS:
        if flag in flags or (date >= first_date and f"no_{flag}" not in flags):
            return version
    return OLDEST_PLATFORM_PYTHON


def parsed_version(text: str) -> Version:
    """(3, 14) of "3.14"."""
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def required_python(folder: Path) -> Version | None:
    """The oldest Python that `requires-python` of the folder's pyproject.toml admits; None when it does not say."""
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
        specifier = tomllib.loads(text).get("project", {}).get("requires-python", "")
    except (OSError, ValueError, AttributeError):
        return None
    bounds = re.findall(r"(?:>=|~=|==|>)\s*(\d+)\.(\d+)", str(specifier))
    return max(((int(major), int(minor)) for major, minor in bounds), default=None)


def is_standard(module: str, platform: Version) -> bool:
    """Whether the top-level name `module` is the standard library's on the platform, which comes first there.

    `sys.path.append("/session/metadata")`: a project's own calendar.py is not what `import calendar` gives.
    Source: workerd `src/pyodide/internal/setupPackages.ts`.
    """
    if module in ADDED_MODULES:
        return platform >= ADDED_MODULES[module]
    removed = removed_in(module)
    return module in sys.stdlib_module_names and (removed is None or platform < removed)


def removed_in(module: str) -> Version | None:
    """The Python whose standard library no longer has the top-level module `module`."""
    return next((version for version, names in REMOVED_MODULES.items() if module in names), None)


def needs_newer(
    error: Exception, folder: Path, platform: Version, running: Version = sys.version_info[:2]
) -> ProjectError | None:
    """The error to show instead of `error` when the project's source needs a newer Python than `running`, else None.

    `error` is what loading the project raised. It names file and line, the Python needed and the running one.
    """
    newest = max(platform, required_python(folder) or platform)
    if running >= newest:
        return None
    need = _need(error, folder, newest, running)
    if need is None or need.version <= running:
        return None
    return _error(need, folder, newest, running)


def _need(error: Exception, folder: Path, newest: Version, running: Version) -> _Need | None:
    if isinstance(error, SyntaxError):
        return _syntax_need(error, folder, newest, running)
    place = innermost_place(error.__traceback__, folder)
    if place is None:
        return None
    if isinstance(error, NameError):
        return _annotation_need(error, *place) if newest >= (3, 14) else None
    missing = _missing_name(error)
    if missing is None:
        return None
    version = _version_of(missing)
    what = f"for {missing}" if version else ""
    return _Need(*place, version or newest, what, f"its standard library has no {missing}")


# ---------------------------------------------------------------------------------------------------- syntax

_PARAMETERS = r"(?P<parameters>\[[^\]]*\]?)"
#: (pattern of a line, Python that introduced it, its name), looked at in this order.
_SYNTAX: tuple[tuple[re.Pattern[str], Version, str], ...] = (
    (re.compile(r"""(?<![\w"'])(?:[tT][rR]?|[rR][tT])["']"""), (3, 14), "for t-strings"),
    (re.compile(r"^\s*except\b\s*\*?[^:(]*,[^:]*:"), (3, 14), "for `except` of several classes without parentheses"),
    (re.compile(rf"^\s*type\s+\w+\s*{_PARAMETERS}?\s*="), (3, 12), "for the `type` statement"),
    (re.compile(rf"^\s*(?:async\s+)?(?:def|class)\s+\w+\s*{_PARAMETERS}"), (3, 12), "for type parameters"),
    (re.compile(r"""(?<![\w"'])(?:[fF][rR]?|[rR][fF])["']"""), (3, 12), "for quotes or new lines inside f-strings"),
)


def _syntax_need(error: SyntaxError, folder: Path, newest: Version, running: Version) -> _Need | None:
    file = Path(error.filename or "")
    if error.lineno is None or isinstance(error, IndentationError) or not file.is_relative_to(folder):
        return None
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    first = max(error.lineno, 1)
    for line in lines[first - 1 : max(error.end_lineno or first, first)]:
        for version, what in _features(line):
            if running < version <= newest:
                return _Need(file, error.lineno, version, what, "")
    if not error.msg.startswith("invalid syntax"):
        return None  # no newer grammar makes an unclosed bracket right
    line = lines[first - 1].strip() if first <= len(lines) else ""
    return _Need(file, error.lineno, newest, "", f"it cannot parse `{line}` ({error.msg})")


def _features(line: str) -> Iterator[tuple[Version, str]]:
    """The newer syntax that a line seems to use."""
    for pattern, version, what in _SYNTAX:
        match = pattern.search(line)
        if match and "=" in (match.groupdict().get("parameters") or ""):
            yield (3, 13), "for defaults of type parameters"
        elif match:
            yield version, what


# ------------------------------------------------------------------------------------------ names and modules


def _missing_name(error: Exception) -> str | None:
    """The dotted name that the standard library was asked for and lacks; None when the error is about others."""
    if isinstance(error, ModuleNotFoundError):
        name = error.name or ""
        return name if _version_of(name) else None
    if isinstance(error, ImportError):
        match = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", error.msg)
        name = f"{match[2]}.{match[1]}" if match else ""
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name = f"{error.obj.__name__}.{error.name}"
    else:
        return None
    return name if name.partition(".")[0] in sys.stdlib_module_names else None


def _version_of(name: str) -> Version | None:
    for version, names in ADDED_NAMES.items():
        if name in names:
            return version
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((ADDED_MODULES[prefix] for prefix in prefixes if prefix in ADDED_MODULES), None)


def _annotation_need(error: NameError, file: Path, line_number: int) -> _Need | None:
    """Python 3.14 looks at annotations only when asked (PEP 649), so they may name what comes later."""
    tree = ast.parse(file.read_bytes())
    for annotation in _annotations(tree):
        names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
        if error.name in names and annotation.lineno <= line_number <= (annotation.end_lineno or annotation.lineno):
            what = f"for an annotation that names {error.name} before it is defined"
            return _Need(file, line_number, (3, 14), what, "")
    return None


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(annotation, ast.expr):
                yield annotation


def innermost_place(traceback: TracebackType | None, folder: Path) -> tuple[Path, int] | None:
    """File and line of the innermost frame that runs the project's own source."""
    place = None
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.is_relative_to(folder):
            place = (file, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place


def _error(need: _Need, folder: Path, newest: Version, running: Version) -> ProjectError:
    place = f"{need.file.relative_to(folder).as_posix()}, line {need.line_number},"
    here, wanted, platform = (f"Python {major}.{minor}" for major, minor in (running, need.version, newest))
    if need.what:
        asked = "" if need.version == newest else f" (this project's is {platform})"
        return ProjectError(
            f"{place} needs {wanted} {need.what}, and this is {here}: run dosim with {wanted} or newer{asked}."
        )
    return ProjectError(
        f"{place} is for {wanted}, and this is {here}: {need.problem}. Run dosim with {wanted} if the line is right "
        "there; else correct it."
    )
