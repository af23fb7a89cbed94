"""D1 databases as Python Workers have them: `env.DB`, prepared statements, sessions.

Source: workerd src/cloudflare/internal/d1-api.ts. Texts and results were recorded from miniflare 4.20260426 on workerd
1.20260426 in November 2026; what Python sees of them follows workers-runtime-sdk 1.9.5 (`_BindingWrapper`): arguments
are converted at the call, results are JsDicts and lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dosim.bindings.d1_store import REQUEST_US, STATEMENT_US, D1Store, Query
from dosim.kernel.loop import SCOPE
from dosim.runtime.promises import rejected
from dosim.runtime.services import Service
from dosim.web.errors import JsException, noted, type_error
from dosim.web.interface import Constructor
from dosim.web.proxies import JsArray, JsObject
from dosim.web.values import JsBigInt, JsDict, clone, js_text

if TYPE_CHECKING:
    from dosim.runtime.world import World

_FIRST_PRIMARY: Final = "first-primary"
_FIRST_UNCONSTRAINED: Final = "first-unconstrained"
_NOT_A_STATEMENT: Final = "Failed to parse body as JSON, got: ZodError"


class D1Database(Service):
    """`env.DB`: one database. Calls travel to where the database is."""

    constructor = Constructor("D1Database")

    def __init__(self, world: World, store: D1Store, binding_name: str) -> None:
        super().__init__(world, f"D1 {store.name}")
        self._store = store
        self._name = binding_name

    def prepare(self, query: Any = None) -> D1PreparedStatement:
        """A statement to run, nothing is sent yet; the SQL is looked at when it runs."""
        return D1PreparedStatement(_Link(self, None), clone(query))

    def batch(self, statements: Any = None) -> Any:
        """Run prepared statements in order in one transaction: a list of results, or the error and nothing changed."""
        return _Link(self, None).batch(statements)

    def exec(self, query: Any = None) -> Any:
        """Run SQL without bindings, one statement a line: {count, duration}. All lines or, on an error, none.

        The error always speaks of line 1, as on the platform (d1-api.ts says so itself).
        """
        text = clone(query)
        if not isinstance(text, str):
            return rejected(type_error("query.trim is not a function"))
        lines = text.strip().split("\n")

        def operation() -> JsDict:
            try:
                answers = self._store.run([Query(line, []) for line in lines])
            except JsException as error:
                raise _exec_error(error, lines) from None
            return JsDict(count=len(answers), duration=sum(answer.meta.duration for answer in answers))

        return self.ask("exec", operation, len(lines))

    def withSession(self, constraint: Any = None) -> D1DatabaseSession:
        """The same database, with a bookmark: "first-primary", "first-unconstrained" or the bookmark to start from.

        There is one instance of a database here, no replicas: every session reads what was written last.
        """
        text = clone(constraint)
        start = text.strip() if isinstance(text, str) else ""
        return D1DatabaseSession(_Link(self, start or _FIRST_UNCONSTRAINED))

    def dump(self) -> Any:
        """Refused: documented for databases of D1's alpha alone."""
        error = JsException("D1_DUMP_ERROR: Status + 404")
        return rejected(noted(error, "dump() only ever worked on alpha databases: read the tables with prepare()."))

    def query(self, _: Any = None) -> Any:
        """Refused without an experimental flag (workerd d1-api.ts)."""
        told = "D1Database.query() requires the d1_binding_jsrpc compatibility flag. Enable d1_binding_jsrpc before"
        error = JsException(f"D1_ERROR: {told} calling query().")
        return rejected(noted(error, "The flag is experimental and not simulated: use prepare(sql).all()."))

    def ask(self, method: str, operation: Any, statements: int) -> Any:
        """Send one request of so many statements; what is returned can be awaited."""
        scope: Any = SCOPE.get()
        place = self._store.home(scope.owner.place if scope is not None else None)
        return self.call(method, operation, takes_us=REQUEST_US + statements * STATEMENT_US, place=place)

    @property
    def store(self) -> D1Store:
        return self._store

    def __repr__(self) -> str:
        return f"<D1Database {self._name} of {self._store.name}>"


class _Link:
    """What statements run over: the database, and the bookmark of the session if there is one."""

    def __init__(self, database: D1Database, bookmark: str | None) -> None:
        self.database = database
        self.bookmark = bookmark

    def run(self, queries: Sequence[Query]) -> list[JsDict]:
        """Over there: run these, and remember the bookmark. Raises "D1_ERROR: ..."."""
        store = self.database.store
        wrong = next((query.sql for query in queries if not isinstance(query.sql, str)), None)
        if wrong is not None:
            error = JsException(f"D1_ERROR: {_NOT_A_STATEMENT}")
            raise noted(error, f"prepare() was given a {type(wrong).__name__}: give SQL as text.")
        try:
            answers = store.run(queries)
        except JsException as error:
            raise _prefixed(error) from None
        if self.bookmark is not None and (self.shown is None or self.shown < store.bookmark):
            self.bookmark = store.bookmark
        return answers

    @property
    def shown(self) -> str | None:
        """The bookmark, which a constraint is not."""
        return None if self.bookmark in (_FIRST_PRIMARY, _FIRST_UNCONSTRAINED) else self.bookmark

    def batch(self, statements: Any) -> Any:
        if isinstance(statements, JsArray):
            statements = statements.as_plain()
        if not isinstance(statements, list):
            error = type_error("statements.map is not a function")
            kind = type(statements).__name__
            return rejected(noted(error, f"batch() was given a {kind}: give a list of db.prepare(...) statements."))
        wrong = next((given for given in statements if not isinstance(given, D1PreparedStatement)), None)
        if wrong is not None:
            error = JsException(f"D1_ERROR: {_NOT_A_STATEMENT}")
            told = f"batch() takes prepared statements, and one is a {type(wrong).__name__}: write db.prepare(sql)."
            return rejected(noted(error, told))
        queries = [statement.as_query() for statement in statements]
        return self.database.ask("batch", lambda: [as_result(a) for a in self.run(queries)], len(queries))


class D1DatabaseSession:
    """`db.withSession(...)`: prepare, batch, getBookmark."""

    constructor = Constructor("D1DatabaseSession")

    def __init__(self, link: _Link) -> None:
        self._link = link

    def prepare(self, query: Any = None) -> D1PreparedStatement:
        return D1PreparedStatement(self._link, clone(query))

    def batch(self, statements: Any = None) -> Any:
        return self._link.batch(statements)

    def getBookmark(self) -> str | None:
        """The state of the database that this session has seen last; None before its first query."""
        return self._link.shown


class D1PreparedStatement:
    """SQL and its bindings. `first`, `all`, `run` and `raw` send it when they are called."""

    constructor = Constructor("D1PreparedStatement")

    def __init__(self, link: _Link, statement: Any, params: list[Any] | None = None) -> None:
        self._link = link
        self.statement = statement
        self.params = params or []

    def bind(self, *values: Any, **more: Any) -> D1PreparedStatement:
        """The statement with these values for its ?, ?1, :name in order of appearance.

        Recorded: every number binds as REAL, so 7 in a TEXT column is '7.0'; booleans are 1 and 0; bytes and lists of
        0 to 255 are BLOBs; None is NULL. Raises "D1_TYPE_ERROR: ..." for anything else.
        """
        given = (*values, dict(more)) if more else values
        return D1PreparedStatement(self._link, self.statement, [_bound(value) for value in given])

    def first(self, *column: Any, **more: Any) -> Any:
        """The first row, or its value in one column; None without a row.

        As on the platform a keyword argument is an options object, and no name: write first("n").
        """
        given = (*column, dict(more)) if more else column
        name = js_text(clone(given[0])) if given else None

        def operation() -> Any:
            rows = as_result(self._run()).results
            if not rows or name is None:
                return rows[0] if rows else None
            if name not in rows[0]:
                error = JsException(f"D1_COLUMN_NOTFOUND: Column not found ({name})")
                raise noted(
                    error, f"The row has {', '.join(rows[0])}; for the whole row write first(), not first(None)."
                )
            return rows[0][name]

        return self._link.database.ask("first", operation, 1)

    def all(self) -> Any:
        """Every row: {success, meta, results}. Of columns with one name the last one stays."""
        return self._link.database.ask("all", lambda: as_result(self._run()), 1)

    def run(self) -> Any:
        """As `all()` (recorded: rows are in `results` here too)."""
        return self._link.database.ask("run", lambda: as_result(self._run()), 1)

    def raw(self, options: Any = None, **more: Any) -> Any:
        """Every row as a list; first the names of the columns with `columnNames=True`."""
        given = options.as_plain() if isinstance(options, JsObject) else options
        with_names = bool((given if isinstance(given, dict) else more).get("columnNames"))

        def operation() -> list[Any]:
            answer = self._run()
            return [list(answer.columns), *answer.rows] if with_names else answer.rows

        return self._link.database.ask("raw", operation, 1)

    def as_query(self) -> Query:
        """What is sent."""
        return Query(self.statement, list(self.params))

    def _run(self) -> JsDict:
        return self._link.run([self.as_query()])[0]

    def __repr__(self) -> str:
        return f"<D1PreparedStatement {self.statement!r} with {len(self.params)} values>"


def as_result(answer: JsDict) -> JsDict:
    """A D1Result: rows as objects."""
    rows = [JsDict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return JsDict(success=True, meta=answer.meta, results=rows)


def _prefixed(error: JsException) -> JsException:
    """An error of the database as the binding throws it."""
    told = JsException(f"D1_ERROR: {error.message}")
    for note in getattr(error, "__notes__", ()):
        told.add_note(note)
    return told


def _exec_error(error: JsException, lines: list[str]) -> JsException:
    told = JsException(f"D1_EXEC_ERROR: Error in line 1: {lines[0]}: {error.message}")
    if "incomplete input" in error.message:
        told.add_note("exec() takes one statement a line: write each on one line, or use prepare(sql).run().")
    elif len(lines) > 1:
        told.add_note(f"The platform always says line 1; any of the {len(lines)} lines may be meant. None was kept.")
    return told


# -- bindings of values


class _Function:
    """A function among the values of bind()."""

    kind = "function"


class _Object:
    """An object of one's own among the values of bind()."""

    kind = "object"


def _other(value: object) -> object:
    return _Function() if callable(value) and not isinstance(value, type) else _Object()


def _bound(value: Any) -> Any:
    """A value as it is sent. Raises TypeError for what the SDK refuses, "D1_TYPE_ERROR: ..." for the rest."""
    sent = clone(value, _other)
    if isinstance(sent, bool):
        return int(sent)
    if sent is None or (isinstance(sent, (str, int, float)) and not isinstance(sent, JsBigInt)):
        return sent
    if isinstance(sent, memoryview):
        return list(bytes(sent))
    if isinstance(sent, list) and all(_is_byte(item) for item in sent):
        return sent
    kind = "bigint" if isinstance(sent, JsBigInt) else getattr(sent, "kind", "object")
    error = JsException(f"D1_TYPE_ERROR: Type '{kind}' not supported for value '{js_text(sent)}'")
    raise noted(error, f"It is a {type(value).__name__}: {_instead_of(value)}")


def _is_byte(item: object) -> bool:
    return isinstance(item, (int, float)) and not isinstance(item, bool) and 0 <= item < 256


def _instead_of(value: object) -> str:
    if hasattr(value, "isoformat"):
        return "bind value.isoformat() or a timestamp."
    if isinstance(value, int):
        return "integers from 2**53 - 1 on are BigInts; bind str(value)."
    if isinstance(value, (dict, list)):
        return "bind json.dumps(value); of lists only those of bytes (0 to 255) are taken, as BLOBs."
    return "bind text, a number, a boolean, bytes or None."
