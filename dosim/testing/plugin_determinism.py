"""`--dosim-determinism`: each test that makes simulations is run again, fixtures and all, and the two compared.

Counted as a test's are the simulations that it and its function-scoped fixtures make. One that a wider fixture made is
shared by tests, and cannot be made again for one of them. Of a test that Hypothesis runs, which draws other examples
each time, one run is compared: the plain one of `@simulated`, or what the test keeps under `ONCE`. A test that has
neither is left out, and the summary counts it.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from _pytest.runner import call_and_report, runtestprotocol

from dosim.kernel.making import making
from dosim.testing.determinism import first_divergence, fresh_name
from dosim.testing.fresh import one_run
from dosim.testing.plugin import CHILD
from dosim.testing.runs import Run, load, noise, run_once, save
from dosim.testing.witness import watching
from dosim.trace.words import counted

_HASH_SEEDS: Final = (1, 2)
#: Options that a fresh process needs too: they decide what is imported and how.
_PASSED: Final = (
    "-p", "-c", "--config-file", "-o", "--override-ini", "-W", "--pythonwarnings", "--import-mode", "--confcutdir",
)  # fmt: skip
_PROGRAM: Final = "import sys; sys.path[:] = {path!r}; import pytest; sys.exit(pytest.main({args!r}))"

Reports = list[pytest.TestReport]


class _FixtureScopes:
    """Simulations of fixtures that outlive a test are not the test's."""

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        with nullcontext() if fixturedef.scope == "function" else _unwatched():
            return (yield)


@contextmanager
def _unwatched() -> Generator[None]:
    watchers = [*making]
    making.clear()
    try:
        yield
    finally:
        making[:] = watchers


class Twice(_FixtureScopes):
    """Runs tests again. mode: "here", or "full" for fresh processes too."""

    def __init__(self, mode: str) -> None:
        self._mode = mode

    def pytest_report_header(self) -> str:
        where = f" and in {len(_HASH_SEEDS)} fresh processes" if self._mode == "full" else ""
        return f"dosim: tests that make simulations run twice here{where}, and have to do the same"

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if item.config.getoption("setuponly", False):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _reports(self, item: pytest.Item, nextitem: pytest.Item | None) -> Reports:
        """Of the first run; the call's is a failure if another run differs."""
        test: Any = getattr(item, "obj", None)
        once, many = one_run(test), getattr(test, "is_hypothesis_test", False)
        with watching() as witnesses:
            reports, whole = _first(item, nextitem, lambda: bool(witnesses) and not many and once is None)
        call = reports[1] if len(reports) == 3 else None
        if call is None or not call.passed:
            return reports
        first = Run("the first run", witnesses)
        if once is not None:
            first = run_once(once, "the first run", quiet=True)
        elif many:
            if witnesses:
                _mark(call, "left out")
            return reports
        if once is None and not whole:
            return reports
        self._compare(item, nextitem, first, reports, once)
        return reports

    def _compare(
        self, item: pytest.Item, nextitem: pytest.Item | None, first: Run, reports: Reports, once: Any
    ) -> None:
        """Run it again, and mark the report of the call."""

        def again(how: str) -> Run:
            if once is not None:
                return run_once(once, how, quiet=True)
            with watching() as witnesses:
                more = runtestprotocol(item, log=False, nextitem=nextitem)
            if reports[-1].passed:
                reports[-1] = more[-1]  # wider fixtures have been torn down in this run
            failed = [report for report in more[:-1] if not report.passed]
            return Run(how, witnesses, error=_error(failed[0]) if failed else "")

        def fresh(hash_seed: int, layout: int) -> Run:
            return _run_fresh(item, hash_seed, layout)

        full = self._mode == "full"
        try:
            found = first_divergence(first, again, fresh if full else None, runs=2, hash_seeds=_HASH_SEEDS)
        except _NoRun as error:
            _fail(reports[1], str(error))
            return
        if found is None:
            _mark(reports[1], "same")
        else:
            _fail(reports[1], found[0].story(item.name, found[1]))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        seen = [getattr(one, _MARK, "") for reports in terminalreporter.stats.values() for one in reports]
        same, differ, out = (seen.count(word) for word in ("same", "differs", "left out"))
        said = f"dosim: {counted(same + differ, 'test')} ran again, {same} the same, {differ} not"
        if out:
            said += f"; {out} left out, whose examples Hypothesis draws anew each time"
        terminalreporter.write_line(said)


class Once(_FixtureScopes):
    """In a fresh process: runs the test once and writes the run into a folder."""

    def __init__(self, folder: str, layout: int) -> None:
        self._folder = Path(folder)
        self._layout = layout

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        once = one_run(getattr(item, "obj", None))
        with noise(self._layout):
            if once is not None:
                run = run_once(once, "", quiet=True)
            else:
                with watching() as witnesses:
                    reports = runtestprotocol(item, nextitem=nextitem)
                failed = [report for report in reports[:-1] if not report.passed]
                run = Run("", witnesses, error=_error(failed[0]) if failed else "")
        save(run, self._folder)
        return True


# -- runs of a test


def _first(item: pytest.Item, nextitem: pytest.Item | None, again: Any) -> tuple[Reports, bool]:
    """As pytest's own `runtestprotocol`, but that a test which will run again leaves wider fixtures standing.

    again: asked after the call. Returns whether it will.
    """
    test: Any = item
    if hasattr(item, "_request") and not test._request:
        test._initrequest()
    reports = [call_and_report(item, "setup", log=False)]
    if reports[0].passed:
        reports.append(call_and_report(item, "call", log=False))
    ends = bool(item.session.shouldfail or item.session.shouldstop)
    last = reports[-1]
    whole = len(reports) == 2 and last.passed and not hasattr(last, "wasxfail") and not ends and again()
    following = copy.copy(item) if whole else None if ends else nextitem
    reports.append(call_and_report(item, "teardown", log=False, nextitem=following))
    if hasattr(item, "_request"):
        test._request, test.funcargs = False, None
    return reports, whole


class _NoRun(Exception):
    """A fresh process did not run the test."""


def _run_fresh(item: pytest.Item, hash_seed: int, layout: int) -> Run:
    """The test by itself in a fresh pytest."""
    config = item.config
    node = f"{item.path}::{item.nodeid.partition('::')[2]}"
    with TemporaryDirectory(prefix="dosim-") as folder:
        args = [node, *_passed(config.invocation_params.args), f"--rootdir={config.rootpath}"]
        if config.pluginmanager.hasplugin("cacheprovider"):
            args += [f"--override-ini=cache_dir={folder}/cache"]
        if config.inipath is not None:
            args += ["-c", str(config.inipath)]
        if config.pluginmanager.hasplugin("xdist"):
            args += ["-n0"]
        (out := Path(folder, "run")).mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                _PROGRAM.format(path=[str(Path(entry or ".").resolve()) for entry in sys.path], args=args),
            ],
            env={**environment, "PYTHONHASHSEED": str(hash_seed), CHILD: f"{layout}:{out}"},
            cwd=config.invocation_params.dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        run = load(out, fresh_name(hash_seed))
    if run is None:
        raise _NoRun(
            f"{item.nodeid} could not be run in {fresh_name(hash_seed)}; pytest ended with {done.returncode}:\n"
            f"{done.stdout.strip()}\n{done.stderr.strip()}"
        )
    return run


def _passed(args: tuple[str, ...] | list[str]) -> list[str]:
    """The arguments of this pytest that another one needs, each with its value."""
    found: list[str] = []
    for at, arg in enumerate(args):
        if arg in _PASSED:
            found += args[at : at + 2]
        elif arg.partition("=")[0] in _PASSED or (arg[:2] in _PASSED and not arg.startswith("--")):
            found.append(arg)
    return found


# -- reports

#: The attribute of a report that says what came of comparing.
_MARK: Final = "dosim_determinism"


def _mark(report: pytest.TestReport, what: str) -> None:
    setattr(report, _MARK, what)


def _fail(report: pytest.TestReport, story: str) -> None:
    report.outcome, report.longrepr = "failed", story
    _mark(report, "differs")


def _error(report: pytest.TestReport) -> str:
    """What a failed or skipped phase says, in a line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    said = crash.message if crash is not None else str(report.longrepr)
    return f"{report.when} {report.outcome}: {(said.splitlines() or [''])[0]}"
