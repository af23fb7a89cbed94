"""`dosim new | run | bill | explore | replay | explain | conformance`: the command line.

Exit codes: 0 done; 1 what was run failed (a Worker threw, a recorded case differs, a test broke); 2 an argument that
cannot be, told in one paragraph on standard error. Tables are drawn by `rich` in a terminal and are plain aligned text
in a pipe.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

from dosim.cli.arguments import Refused, check_writable, positive, whole
from dosim.cli.exploring import add_explore

if TYPE_CHECKING:
    from rich.console import Console

    from dosim.billing import Bill
    from dosim.scenarios.blocks import Block
    from dosim.trace import Trace

#: The value that the platform's own Python runs with (recorded): sets of strings iterate in its order.
HASH_SEED: Final = "111"
#: Set in the process that has been started anew, so that it never starts another.
_RESTARTED: Final = "DOSIM_HASH_SEED_IS_SET"

_TRACE_HELP: Final = (
    "write the trace: its records, one JSON object a line; or for Perfetto (FILE.json), Mermaid (.mmd), ShiViz"
    " (.shiviz.log) or OpenTelemetry (.otlp.json)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Without `argv`: the process's own arguments, under `HASH_SEED`."""
    if argv is None:
        _restart_with_hash_seed()
        argv = sys.argv[1:]
    try:
        options = _parser().parse_args(argv)
        code: int = options.command(options)
        sys.stdout.flush()
    except Refused as refused:
        print(f"dosim: {refused}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `dosim … | head`: whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return code


def _restart_with_hash_seed() -> None:
    """Start this process anew, once, where strings hash as on the platform: it is decided when Python starts."""
    if os.environ.get("PYTHONHASHSEED") == HASH_SEED or _RESTARTED in os.environ:
        return
    if os.name != "posix" or sys.platform == "emscripten" or not sys.executable:
        return  # no exec here; what dosim itself does is the same under any value
    environment = {**os.environ, "PYTHONHASHSEED": HASH_SEED, _RESTARTED: "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


# -- arguments


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one paragraph, as every other refusal."""

    def error(self, message: str) -> NoReturn:
        raise Refused(f"{message.rstrip('.')}. `{self.prog} --help` lists what there is.")


def _parser() -> argparse.ArgumentParser:
    from dosim import __version__
    from dosim.scenarios import SCENARIOS

    parser = _Parser(prog="dosim", description="A deterministic simulator of Cloudflare Durable Objects.")
    parser.add_argument("--version", action="version", version=f"dosim {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    fresh = commands.add_parser("new", help="write a small project to begin with, and a test of it")
    fresh.add_argument("folder", metavar="FOLDER", help="a folder that is not there yet; its name is the Worker's")
    fresh.set_defaults(command=_new)

    widest = max(map(len, SCENARIOS))
    listed = "\n".join(f"  {scenario.name:<{widest}}  {scenario.shows}" for scenario in SCENARIOS.values())
    run = commands.add_parser(
        "run",
        help="run a scenario, or a Python Workers project",
        description=f"Run a scenario or a Python Workers project. Scenarios:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("target", metavar="SCENARIO|FOLDER", help="a scenario's name, or a folder with a wrangler.jsonc")
    run.add_argument("--seed", type=_seed, help="everything random follows from it (default 0)")
    run.add_argument("--trace", metavar="FILE", help=_TRACE_HELP)
    scenario = run.add_argument_group("of scenarios")
    given: list[tuple[str, str, dict[str, Any]]] = [
        ("variant", "only this variant; may be repeated", {"action": "append", "metavar": "NAME"}),
        ("requests", "how many clients send a request", {"type": whole, "metavar": "N"}),
        ("seconds", "how long each request's handler takes", {"type": _number, "metavar": "S"}),
        ("json", "rows in microseconds and trace digests, as JSON", {"action": "store_true"}),
        ("png", "draw the timeline", {"metavar": "FILE"}),
        ("code", "show the user code that is run", {"action": "store_true"}),
    ]
    for name, words, form in given:
        takers = [one.name for one in SCENARIOS.values() if name in one.options]
        whose = "" if len(takers) == len(SCENARIOS) else f" (of {', '.join(takers)})"
        scenario.add_argument(f"--{name}", help=words + whose, **form)
    project = run.add_argument_group("of projects")
    project.add_argument("--get", metavar="URL", help="a path or a whole URL to request (default /)")
    project.add_argument("--city", help="a name, a colo code or LATITUDE,LONGITUDE to send it from (default Ashburn)")
    run.set_defaults(command=_run)

    _add_bill(commands)

    add_explore(commands)

    told = commands.add_parser("explain", help="say where the time of a request in a trace went")
    told.add_argument("trace", metavar="TRACE.jsonl", help="a file that --trace or trace.to_jsonl() wrote")
    told.add_argument("request", nargs="?", type=whole, help="the request's number (default: the slowest)")
    told.set_defaults(command=_explain)

    judged = commands.add_parser("conformance", help="replay cases that were recorded from the real runtime")
    judged.add_argument("paths", nargs="+", metavar="PATH", help="folders or files of cases")
    judged.add_argument("--json", action="store_true", help="one row per case, as JSON")
    judged.set_defaults(command=_conformance)
    return parser


def _add_bill(commands: Any) -> None:
    """`dosim bill`: of a scenario, or of a project that gets one request."""
    billed = commands.add_parser("bill", help="say what a scenario's run costs, or a request to a project")
    billed.add_argument("target", metavar="SCENARIO|FOLDER", help="a scenario's name, or a project's folder")
    billed.add_argument("--seed", type=_seed, help="everything random follows from it (default 0)")
    billed.add_argument("--plan", choices=("paid", "free"), default="paid", help="the Workers plan (default paid)")
    billed.add_argument("--prices", metavar="DATE", help="the prices of this day (default: of the simulated date)")
    billed.add_argument("--days", type=positive, default=30, metavar="N", help="the month's length (default 30)")
    billed.add_argument("--times", type=positive, default=1, metavar="N", help="so many such populations (default 1)")
    scenario = billed.add_argument_group("of scenarios")
    scenario.add_argument("--variant", action="append", metavar="NAME", help="only this variant; may be repeated")
    project = billed.add_argument_group("of projects")
    project.add_argument("--get", metavar="URL", help="a path or a whole URL to request (default /)")
    project.add_argument("--city", help="a name, a colo code or LATITUDE,LONGITUDE to send it from (default Ashburn)")
    project.add_argument("--for", metavar="TIME", help="run for so long, such as 30min (default 1h)")
    billed.set_defaults(command=_bill)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number: write 5 or 0.5, without a unit") from None
    return int(number) if number.is_integer() else number


def _seed(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdecimal() else text


# -- dosim new


def _new(options: argparse.Namespace) -> int:
    from dosim.project import ProjectError
    from dosim.project.new import new_project

    try:
        files = new_project(options.folder)
    except ProjectError as error:
        raise Refused(str(error)) from None
    print("\n".join(str(Path(options.folder) / file) for file in files))
    print(f"\nTo test it and to run it:\n\n    cd {shlex.quote(options.folder)}\n    pytest\n    dosim run .")
    return 0


# -- dosim run


def _run(options: argparse.Namespace) -> int:
    from dosim.scenarios import SCENARIOS

    target: str = options.target
    if target in SCENARIOS:
        return _run_scenario(options)
    if Path(target).exists() or os.sep in target or target.startswith("."):
        return _run_project(options)
    raise Refused(_no_such_target(target))


def _no_such_target(target: str) -> str:
    from dosim.scenarios import SCENARIOS
    from dosim.scenarios.registry import did_you_mean

    return (
        f"{target!r} is neither a scenario nor a project folder{did_you_mean(target, SCENARIOS)} The scenarios are"
        f" {', '.join(SCENARIOS)}; a project is a folder with a wrangler.jsonc."
    )


def _run_scenario(options: argparse.Namespace) -> int:
    from dosim.scenarios import SCENARIOS, BadArgument

    scenario = SCENARIOS[options.target]
    _refuse_others(options, scenario.options, f"the scenario {scenario.name}")
    check_writable(options.png, "--png")
    check_writable(options.trace, "--trace")
    if options.trace and "variant" in scenario.options and len(options.variant or ()) != 1:
        raise Refused("--trace takes one trace and every variant has its own: choose one with --variant NAME.")
    names = scenario.options & {"variant", "requests", "seconds", "seed"}
    given = {name: value for name in sorted(names) if (value := getattr(options, name)) is not None}
    try:
        result = scenario.run(**given)
    except BadArgument as error:
        raise Refused(f"--{error.argument} {error.value} {error.fix}") from None
    if options.json:
        print(json.dumps(result.to_json(), indent=1, ensure_ascii=False))
    else:
        _print_blocks(result.blocks(code=options.code))
    if options.png:
        _write_png(result.figure(), options.png)
    if options.trace:
        _write_trace(result.trace, options.trace)
    return 0


def _refuse_others(options: argparse.Namespace, known: frozenset[str], whose: str) -> None:
    """Refuse options that were given and that this target does not have."""
    for name, value in vars(options).items():
        if name not in ("command", "target") and name not in known and value not in (None, False):
            takes = ", ".join(f"--{option}" for option in sorted(known))
            raise Refused(f"--{name} is no option of {whose}: leave it out. It takes {takes}.")


def _run_project(options: argparse.Namespace) -> int:
    from dosim import Deadlock

    _refuse_others(options, frozenset({"get", "city", "seed", "trace"}), "a project")
    check_writable(options.trace, "--trace")
    with _warnings_once(Path(options.target)):
        sim = _load_project(options)
        call = _client(sim, options.city).fetch(_url(options.get or "/"))
        try:
            response = sim.run(call)
            text = _response_text(sim, call, response)
        except Deadlock as stuck:
            print(f"dosim: {stuck}", file=sys.stderr)
            return 1
    print(text)
    print()
    print(sim.explain(call))
    if options.trace:
        _write_trace(sim.trace, options.trace)
    if call.error is not None:
        print(f"\ndosim: the Worker threw: {str(call.error).rstrip()}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _warnings_once(folder: Path) -> Iterator[None]:
    """Tell a warning in one line, and each only once, however many isolates load the module that gives it."""
    told: set[str] = set()

    def tell(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        path, root = Path(filename).resolve(), folder.resolve()
        place = f"{path.relative_to(root).as_posix()}, line {lineno}: " if path.is_relative_to(root) else ""
        text = f"dosim: {place}{category.__name__}: {message}"
        if text not in told:
            told.add(text)
            print(text, file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = tell
        yield


def _load_project(options: argparse.Namespace) -> Any:
    from dosim import ProjectError, Simulation
    from dosim.simulation.loading import LoadError

    try:
        sim = Simulation.from_project(options.target, seed=options.seed if options.seed is not None else 0)
    except LoadError as error:
        raise Refused(str(error)) from None
    except ProjectError as error:
        raise Refused(f"the project {options.target!r}: {error}") from None
    if sim.worker is None:
        raise Refused(
            f"{options.target} has no Worker to send the request to: write `class Default(WorkerEntrypoint)` with an"
            " `async def fetch(self, request)` in its entry module."
        )
    return sim


def _client(sim: Any, city: str | None) -> Any:
    from dosim import UnknownCity

    try:
        return sim.client(_place(city))
    except UnknownCity as error:
        raise Refused(f"--city: {error}".replace("(latitude, longitude)", "--city=LATITUDE,LONGITUDE")) from None
    except ValueError as error:  # coordinates that are not on the globe
        raise Refused(f"--city {city}: {error}") from None


def _place(city: str | None) -> str | tuple[float, float] | None:
    """A city's name, or the two numbers of "35.7,139.7"."""
    try:
        latitude, longitude = map(float, (city or "").split(","))
    except ValueError:
        return city
    return latitude, longitude


def _url(text: str) -> str:
    if text.startswith("/"):
        return f"https://app.example{text}"
    if text.startswith(("http://", "https://")):
        return text
    raise Refused(
        f"--get {text!r} is no URL: write a path such as /{text}, or a whole URL such as https://app.example/{text}."
    )


def _response_text(sim: Any, call: Any, response: Any) -> str:
    """Request line, status, headers and body, as one reads HTTP."""
    lines = [f"{call.method} {call.url} from {call.client.name}", f"{response.status} {response.status_text}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    body: bytes = sim.run(response.bytes())
    try:
        text = bytes(body).decode("utf-8")
    except UnicodeDecodeError:
        text = f"({len(body)} bytes that are no text)"
    return "\n".join([*lines, "", text.rstrip("\n")]).rstrip()


# -- dosim bill


def _bill(options: argparse.Namespace) -> int:
    from dosim.kernel.durations import duration_us
    from dosim.platform.prices import price_list
    from dosim.scenarios import SCENARIOS

    target: str = options.target
    known = {"seed", "plan", "prices", "days", "times"}
    try:
        stretch_us = duration_us(getattr(options, "for") or "1h", "--for")
        if options.prices is not None:
            price_list(options.prices)
    except ValueError as error:
        raise Refused(str(error)) from None
    if not stretch_us:
        raise Refused("--for 0s leaves nothing to bill: give how long to run, such as 1h.")
    code = 0
    if target in SCENARIOS:
        own = SCENARIOS[target].options & {"variant"}
        _refuse_others(options, frozenset(known | own), f"the scenario {target}")
        bills = _scenario_bills(options)
    elif Path(target).exists() or os.sep in target or target.startswith("."):
        _refuse_others(options, frozenset(known | {"get", "city", "for"}), "a project")
        bill, code = _project_bill(options, stretch_us)
        bills = [("", bill)]
    else:
        raise Refused(_no_such_target(target))
    for title, bill in bills:
        heading = f"{title}\n{'-' * len(title)}\n\n" if title else ""
        print(f"{heading}{bill}\n\n{bill.per_month(days=options.days, times=options.times)}\n")
    return code


def _scenario_bills(options: argparse.Namespace) -> list[tuple[str, Bill]]:
    """The bill of each variant or world of a scenario, its rehearsal included; of a single one, with no title."""
    from dosim.billing import bill_of
    from dosim.scenarios import SCENARIOS, BadArgument

    scenario = SCENARIOS[options.target]
    given = {name: getattr(options, name) for name in ("variant", "seed") if getattr(options, name) is not None}
    try:
        result = scenario.run(**given)
    except BadArgument as error:
        raise Refused(f"--{error.argument} {error.value} {error.fix}") from None
    has_variants = "variant" in scenario.options
    if has_variants:
        runs = [(run.variant.title, run.trace) for run in result]
    else:
        worlds = getattr(result, "worlds", ())
        runs = [(world.title, world.sim.trace) for world in worlds] if len(worlds) > 1 else [("", result.trace)]
    return [(title, bill_of(trace, plan=options.plan, prices=options.prices)) for title, trace in runs]


def _project_bill(options: argparse.Namespace, stretch_us: int) -> tuple[Bill, int]:
    """One request to a project, and what follows until the stretch is over; the exit code beside it."""
    with _warnings_once(Path(options.target)):
        sim = _load_project(options)
        call = _client(sim, options.city).fetch(_url(options.get or "/"))
        sim.run(until=timedelta(microseconds=stretch_us))
    if call.error is not None:
        print(f"dosim: the Worker threw: {str(call.error).rstrip()}", file=sys.stderr)
    return sim.bill(plan=options.plan, prices=options.prices), int(call.error is not None)


# -- dosim explain, dosim conformance


def _explain(options: argparse.Namespace) -> int:
    from dosim.explain import Story, explain, slowest

    trace = _read_trace(options.trace)
    try:
        story = Story(trace)
        request = options.request if options.request is not None else slowest(story)
        print(explain(trace, request, story=story))
    except ValueError as error:
        raise Refused(str(error)) from None
    return 0


def _read_trace(path: str) -> Trace:
    from dosim.trace import Trace

    wanted = "Give a file of records, one JSON object a line, as `dosim run … --trace FILE` or"
    wanted += " sim.trace.to_jsonl(FILE) writes it."
    try:
        trace = Trace.from_jsonl(path)
    except OSError as error:
        raise Refused(f"{path} cannot be read ({error.strerror}): give a file that --trace wrote.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is no trace, it is not even text. {wanted}") from None
    except ValueError as error:
        found = re.match(r", line (\d+) is no trace record", str(error).removeprefix(path))
        if not found:  # of a newer version, or cut off: the error says it whole
            raise Refused(str(error)) from None
        number = int(found[1])
        line = Path(path).read_text("utf-8").split("\n")[number - 1].strip()
        shown = line if len(line) <= 60 else f"{line[:60]}…"
        raise Refused(f"{path}, line {number} is no trace record: {shown!r}. {wanted}") from None
    if not len(trace):
        raise Refused(f"{path} has no trace record. {wanted}")
    return trace


def _conformance(options: argparse.Namespace) -> int:
    from dosim.testing.conformance.report import main as report

    return report(options.paths, options.json)


# -- output


def _print_blocks(blocks: Sequence[Block]) -> None:
    console = _console()
    if console is None:
        from dosim.scenarios.blocks import plain_text

        print(plain_text(blocks))
        return
    for block in blocks:
        block.print_rich(console)


def _console() -> Console | None:
    """The terminal to draw in; None when output goes to a pipe, a file or a dumb terminal."""
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from rich.console import Console

    return Console(highlight=False)


def _write_png(figure: Any, path: str) -> None:
    from dosim.views.figures import save_png

    _write(lambda file: save_png(figure, file), path, "--png")


def _write_trace(trace: Trace, path: str) -> None:
    """In the format that the file's name ends in; of any other name, as records."""
    from dosim.export import format_of, save

    _write(lambda file: save(trace, file, format_of(file) or "jsonl"), path, "--trace")


def _write(write: Any, path: str, option: str) -> None:
    try:
        write(path)
    except OSError as error:
        told = f"{path!r} cannot be written ({error.strerror}): name another file." if error.strerror else str(error)
        raise Refused(f"{option} {told}") from None
    except ValueError as error:  # a format that cannot hold this trace
        raise Refused(f"{option} {path!r}: {error}") from None
    print(f"{path} written", file=sys.stderr)
