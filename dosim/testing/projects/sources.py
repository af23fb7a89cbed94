"""What a project's source says of how it is used: paths and their words, names in queries and bodies, calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from dosim.project.config import CONFIG_FILES, ProjectConfig
from dosim.testing.projects.programs import METHODS

#: Folders that hold other people's code.
_OTHERS: Final = frozenset(("python_modules", "node_modules", "__pycache__", "site-packages", "tests", "test"))
_PATH: Final = re.compile(r"/[\w./<>{}:*-]*")
_SLOT: Final = re.compile(r"<[^<>/]*>|\{[^{}/]*\}|(?<=/)[:*]\w*")
_REQUEST: Final = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w./<>{}:*-]*)")
_WITH_SLOTS: Final = re.compile(
    r"(?<![\w<])(?:/(?:<\w+>|\{\w+\}|[\w-]+))*/(?:<\w+>|\{\w+\})(?:/(?:<\w+>|\{\w+\}|[\w-]+))*/?"
)
_WORD: Final = re.compile(r"[A-Za-z][\w-]{0,19}")
_BODIES: Final = re.compile(
    r"^(body|data|payload|json|js|params|msg|message|event|cmd|command|parsed|obj|content|args)$"
)
_QUERIES: Final = re.compile(r"(query|params|qs|args|searchparams|search_params)", re.IGNORECASE)

#: A slot of a path, in templates.
SLOT: Final = "{}"


@dataclass
class Sources:
    """What was read; every list without repetition, in the order of the source."""

    digest: str
    files: list[Path]
    #: (method or "", path with SLOT for what varies)
    paths: dict[tuple[str, str], None] = field(default_factory=dict)
    words: dict[str, None] = field(default_factory=dict)
    #: Methods of requests that it names.
    methods: dict[str, None] = field(default_factory=dict)
    queries: dict[str, None] = field(default_factory=dict)
    bodies: dict[str, None] = field(default_factory=dict)
    #: Key of a body -> the words that it is compared with.
    kinds: dict[str, dict[str, None]] = field(default_factory=dict)
    has_sockets: bool = False
    #: Names of methods that an object calls on itself, and that are called on anything else.
    on_self: set[str] = field(default_factory=set)
    on_others: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, config: ProjectConfig) -> Sources:
        """Read a project's source. Files that cannot be parsed say nothing."""
        files = _files(config)
        text = blake2b(digest_size=8)
        for path in [config.folder / name for name in CONFIG_FILES] + files:
            if path.is_file():
                text.update(path.read_bytes())
        found = cls(text.hexdigest(), files)
        for path in files:
            try:
                tree = ast.parse(path.read_text("utf-8", errors="replace"))
            except (SyntaxError, ValueError):
                continue
            _Reader(found).visit(tree)
        return found

    @property
    def verbs(self) -> tuple[str, ...]:
        """The methods of requests that may make a difference to it."""
        named = {*self.methods}
        if not named and self.on_others & {"text", "json", "body", "formData", "form_data"}:
            named = {"POST"}
        return tuple(method for method in METHODS if method == "GET" or method in named)

    def is_helper(self, method: str) -> bool:
        """Whether a method is called by its own object alone, so that nobody outside seems to be meant."""
        return method in self.on_self and method not in self.on_others


def _files(config: ProjectConfig) -> list[Path]:
    root = (config.folder / config.main).parent if config.base_dir is None else config.folder / config.base_dir
    found = sorted(root.rglob("*.py"))
    return [path for path in found if not _is_foreign(path.relative_to(root))]


def _is_foreign(path: Path) -> bool:
    return any(part in _OTHERS or part.startswith(".") for part in path.parts[:-1])


class _Reader(ast.NodeVisitor):
    def __init__(self, found: Sources) -> None:
        self._found = found

    def visit_Name(self, node: ast.Name) -> None:
        if node.id == "WebSocketPair":
            self._found.has_sockets = True

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            if node.value in METHODS:
                self._found.methods[node.value] = None
            self._text(node.value)

    def _text(self, text: str) -> None:
        found = self._found
        for method, path in _REQUEST.findall(text):
            found.paths[method, template_of(path)] = None
        if len(text) > 1 and _PATH.fullmatch(text):
            if text.endswith("/"):
                found.paths["", template_of(f"{text}{SLOT}")] = None
            found.paths["", template_of(text)] = None
        for path in _WITH_SLOTS.findall(text):
            found.paths["", template_of(path)] = None

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            name = decorator.func if isinstance(decorator, ast.Call) else decorator
            method = name.attr.upper() if isinstance(name, ast.Attribute) else ""
            if method in METHODS:
                self._found.methods[method] = None
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Attribute(self, node: ast.Attribute) -> None:
        is_super = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "super"
        if not is_super:
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (self._found.on_self if own else self._found.on_others).add(node.attr)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        words = list(_words(sides))
        self._found.words.update(dict.fromkeys(words))
        for side in sides:
            key = _key(side)
            if key is not None:
                self._found.kinds.setdefault(key, {}).update(dict.fromkeys(words))
            elif isinstance(side, ast.Name) and words:
                self._found.kinds.setdefault(side.id, {}).update(dict.fromkeys(words))
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._name(node.value, node.slice)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr in ("get", "pop") and node.args:
            self._name(func.value, node.args[0])
        elif "query" in _called(func) and len(node.args) > 1:
            self._add(self._found.queries, node.args[1])
        self.generic_visit(node)

    def _name(self, of: ast.expr, key: ast.expr) -> None:
        said = ast.unparse(of)
        if _QUERIES.search(said):
            self._add(self._found.queries, key)
        if _BODIES.match(said.rpartition(".")[2]) or ".json()" in said or "loads(" in said:
            self._add(self._found.bodies, key)

    @staticmethod
    def _add(names: dict[str, None], key: ast.expr) -> None:
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and _WORD.fullmatch(key.value):
            names[key.value] = None

    def visit_match_case(self, node: ast.match_case) -> None:
        self._pattern(node.pattern)
        self.generic_visit(node)

    def _pattern(self, pattern: ast.pattern) -> None:
        if isinstance(pattern, ast.MatchOr):
            for one in pattern.patterns:
                self._pattern(one)
        elif isinstance(pattern, ast.MatchValue):
            self._found.words.update(dict.fromkeys(_words([pattern.value])))
        elif isinstance(pattern, ast.MatchSequence):
            parts = [_part(part) for part in pattern.patterns]
            inner = [part for part in pattern.patterns if isinstance(part, ast.MatchSequence)]
            method = next((part for part in parts if part in METHODS), "")
            rest = [part for part in parts if part not in METHODS and part is not None]
            whole = [part for part in rest if part.startswith("/")]
            if inner:
                rest = [part for part in map(_part, inner[0].patterns) if part is not None]
            path = whole[0] if whole else "/" + "/".join(rest)
            self._found.paths[method, template_of(path)] = None


def _part(pattern: ast.pattern) -> str | None:
    """A part of a path in a pattern: its text, or a slot; None for what is no part."""
    if isinstance(pattern, ast.MatchValue) and isinstance(pattern.value, ast.Constant):
        return str(pattern.value.value)
    return SLOT if isinstance(pattern, ast.MatchAs) else None


def _words(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        inner = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
        for one in inner:
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and _WORD.fullmatch(one.value):
                yield one.value


def _key(node: ast.expr) -> str | None:
    """The name in `data["name"]` and `data.get("name")`."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        return str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else None
    return None


def _called(func: ast.expr) -> str:
    return (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")).lower()


def template_of(path: str) -> str:
    """A path with SLOT for everything that varies in it."""
    return _SLOT.sub(SLOT, path)
