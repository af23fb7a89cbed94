"""`%load_ext dosim`: the platform's imports in cells, and `%%scenario`. Everything else is a function.

With it a cell imports as a Worker does: `from workers import DurableObject`, `from js import URL`,
`from pyodide.ffi import to_js`, and `from agents import Agent`. In a browser, where `js` and `pyodide` are the page's
own, those two stay so: take dosim's from `dosim.workers.js` and `dosim.workers.ffi` there.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import shlex
import sys
from types import CodeType, ModuleType
from typing import Any, NoReturn

from dosim.agents import Agent
from dosim.simulation import Simulation
from dosim.simulation.loading import shims
from dosim.workers import DurableObject, WorkerEntrypoint

_NAME = "scenario"
_OPTIONS = "--seed, --network none, --platform, --concurrency, --no-picture"
_CLASSES_FIRST = (
    "%%scenario: the cell defines no Worker and no Durable Object. Classes come first, then what happens to them:\n"
    "    class Counter(DurableObject): ...\n"
    '    sim.run(sim.env.COUNTER.getByName("a").increment())'
)
#: What was in `sys.modules` under the names of the platform's modules, before it was loaded; None: nothing.
_before: dict[str, ModuleType | None] = {}


def load(ipython: Any) -> None:
    """Let cells import the platform's modules, and add `%%scenario`. Loading twice does no more than once."""
    if not _before:
        for name, module in shims().items():
            if sys.platform == "emscripten" and name.partition(".")[0] in ("js", "pyodide"):
                continue
            _before[name] = sys.modules.get(name)
            sys.modules[name] = module

    def scenario(line: str, cell: str) -> None:
        run_cell(ipython, line, cell)

    scenario.__doc__ = run_cell.__doc__
    ipython.register_magic_function(scenario, "cell", _NAME)


def unload(ipython: Any) -> None:
    """Take both away again: names are what they were before."""
    for name, module in _before.items():
        if module is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = module
    _before.clear()
    ipython.magics_manager.magics["cell"].pop(_NAME, None)


def run_cell(shell: Any, line: str, cell: str) -> None:
    """Run a cell in a simulation of its own: first classes, then what happens to them.

        %%scenario --seed 7
        class Counter(DurableObject): ...
        class Default(WorkerEntrypoint): ...

        sim.run(sim.client("Tokyo").fetch("/"))

    Everything up to the last class is the program. `sim` is made of its classes: each DurableObject is bound under its
    name in capitals (`ChatRoom` as `CHAT_ROOM`); the WorkerEntrypoint, the one named `Default` if there are several, is
    the Worker. What stands below is run with `sim`; it may `await` calls instead of writing `sim.run`. Then the world
    runs until nothing but alarms is left, and the timeline and the explanation of the last request are shown. The
    cell's names, `sim` too, stay for the cells below. Options: --seed N or text, --network none, --platform workerd,
    --concurrency one-at-a-time, --no-picture; they are those of `Simulation`.
    """
    options = _parsed(line)
    program, bound, story = _split(shell, cell)
    names = shell.user_ns
    exec(program, names)
    simulation = names["sim"] = _simulation([names[name] for name in bound], options)
    result = eval(story, names)
    if story.co_flags & inspect.CO_COROUTINE:
        simulation.run(result)
    simulation.run()
    _show(simulation, picture=options.picture)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        from IPython.core.error import UsageError

        raise UsageError(f"%%scenario: {message}. Options: {_OPTIONS}")


def _parsed(line: str) -> argparse.Namespace:
    """The options of the first line. Raises UsageError."""
    parser = _Parser(prog="%%scenario", add_help=False, allow_abbrev=False)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--network", choices=("earth", "none"), default="earth")
    parser.add_argument("--platform", default="cloudflare")
    parser.add_argument("--concurrency", default="input-gates")
    parser.add_argument("--no-picture", dest="picture", action="store_false")
    try:
        words = shlex.split(line)
    except ValueError as error:
        parser.error(f"{line.strip()}: {error}")
    return parser.parse_args(words)


def _split(shell: Any, cell: str) -> tuple[CodeType, list[str], CodeType]:
    """The program, up to the last class, as code; the names it defines and imports; the story below it, as code."""
    source = shell.transform_cell(cell)
    name = shell.compile.cache(source)
    body = ast.parse(source, name).body
    classes = [number for number, statement in enumerate(body, 1) if isinstance(statement, ast.ClassDef)]
    end = classes[-1] if classes else 0
    program = compile(ast.Module(body[:end], []), name, "exec", dont_inherit=True)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    story = compile(ast.Module(body[end:], []), name, "exec", flags=flags, dont_inherit=True)
    return program, [name for statement in body[:end] for name in _bound(statement)], story


def _bound(statement: ast.stmt) -> list[str]:
    """The names of classes and imports that a statement binds."""
    if isinstance(statement, ast.ClassDef):
        return [statement.name]
    aliases = statement.names if isinstance(statement, ast.ImportFrom) else []
    return [alias.asname or alias.name for alias in aliases if alias.name != "*"]


def _simulation(made: list[object], options: argparse.Namespace) -> Simulation:
    """A simulation of the classes among these. Raises UsageError: no class, several Workers, a wrong option."""
    from IPython.core.error import UsageError

    classes = [cls for cls in made if isinstance(cls, type) and cls not in (DurableObject, WorkerEntrypoint, Agent)]
    objects = {binding_name(cls): cls for cls in classes if issubclass(cls, DurableObject)}
    workers = {cls.__name__: cls for cls in classes if issubclass(cls, WorkerEntrypoint)}
    if not objects and not workers:
        raise UsageError(_CLASSES_FIRST)
    if len(workers) > 1 and "Default" not in workers:
        raise UsageError(f"%%scenario: {', '.join(workers)} are all Workers: call the one that clients reach Default.")
    worker = workers.get("Default", next(iter(workers.values()), None))
    seed = int(options.seed) if re.fullmatch(r"-?\d+", options.seed) else options.seed
    try:
        return Simulation(
            worker,
            durable_objects=objects,
            seed=seed,
            network=None if options.network == "none" else options.network,
            platform=options.platform,
            concurrency=options.concurrency,
        )
    except ValueError as error:
        raise UsageError(f"%%scenario: {error}") from None


def binding_name(cls: type) -> str:
    """A class's name as a binding is spelled: `ChatRoom` as CHAT_ROOM."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).upper()


def _show(simulation: Simulation, *, picture: bool) -> None:
    """The timeline, and the last request from outside in sentences; without a request, the objects."""
    from IPython.display import display

    asked = [
        record.request
        for record in simulation.trace.of_kind("send", "call")
        if record.kind == "send" or (record.detail["caller"] == 0 and record.detail["via"] in ("rpc", "fetch"))
    ]
    if not asked:
        display(simulation)  # type: ignore[no-untyped-call]
        return
    if picture:
        display(simulation.timeline())  # type: ignore[no-untyped-call]
    told = simulation.explain(asked[-1])
    both = {"text/plain": str(told), "text/html": told._repr_html_()}
    display(both, raw=True)  # type: ignore[no-untyped-call]
