"""Lessons in a real JupyterLab: every cell runs, the explorer answers, the player plays, as a frame and as a widget."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("lab")]  # one server for all

ROOT = Path(__file__).resolve().parents[2]
#: Cells out of sight stay in the page, and nobody is asked for news.
SETTINGS: dict[str, dict[str, Any]] = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
OPTIONS = "--no-browser --ip=127.0.0.1 --allow-root --LabApp.extension_manager=readonly --expose-app-in-browser".split()
WAIT_S = 60
#: Waits for the kernel's first answer: cells that are run before it are lost. Resolves when the last cell is over.
RUN_ALL = """async () => {
  const shown = jupyterapp.shell.currentWidget;
  await shown.context.ready;
  await shown.sessionContext.ready;
  await shown.sessionContext.session.kernel.info;
  await jupyterapp.commands.execute('notebook:run-all-cells'); }"""
#: Runs code in the notebook's kernel, beside its cells; what it prints.
ASK = """async (code) => {
  const future = jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code });
  let printed = '';
  future.onIOPub = ({ content }) => { printed += content.text ?? content.evalue ?? ''; };
  await future.done;
  return printed; }"""
DRAWN = "(pictures) => pictures.map((picture) => picture.complete && picture.naturalWidth > 100)"
#: What a cell shows where it fails or warns.
STDERR = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']"

WIDGET = """
from dosim import Simulation
from dosim.workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")

sim = Simulation(Default)
sim.client("Tokyo").fetch("https://a.example/")
sim.run(for_="3s")
shown = sim.player().widget()
shown
"""

EXPLORER = """
import asyncio

from dosim import Simulation
from dosim.notebook import explorer
from dosim.workers import DurableObject

class Desk(DurableObject):
    async def serve(self):
        await asyncio.sleep(5)

def play(requests):
    sim = Simulation(durable_objects={"DESK": Desk}, network=None)
    sim.run(*[sim.env.DESK.getByName("desk").serve() for _ in range(requests)])
    return sim

explorer(play, requests=(1, 20, 3))
"""

AT = "print(f'{shown.t_us / 1e6:.6f}', end='')"

Open = Callable[[Any], Any]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A JupyterLab with settings of its own: the folder that it serves, and the address up to a file's name."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed: make test-browser")
    root = tmp_path_factory.mktemp("lab")
    folders = {name: root / name for name in ("settings", "config", "data", "runtime", "ipython", "notebooks")}
    for folder in folders.values():
        folder.mkdir()
    for name, values in SETTINGS.items():
        path = folders["settings"] / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), "utf-8")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JUPYTERLAB_SETTINGS_DIR": str(folders["settings"]),
        "JUPYTER_CONFIG_DIR": str(folders["config"]),
        "JUPYTER_DATA_DIR": str(folders["data"]),
        "JUPYTER_RUNTIME_DIR": str(folders["runtime"]),
        "IPYTHONDIR": str(folders["ipython"]),
    }
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folders['notebooks']}"]
    with (root / "log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        try:
            about = about_server(folders["runtime"] / f"jpserver-{server.pid}.json", root / "log", server)
            yield folders["notebooks"], f"{about['url']}lab/tree/{{}}?reset&token={about['token']}"
        finally:
            server.terminate()


def about_server(path: Path, log: Path, server: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What a server says of itself once it listens: a file with its port and token."""
    for _ in range(WAIT_S * 10):
        if path.is_file() and path.stat().st_size and server.poll() is None:
            about: dict[str, Any] = json.loads(path.read_text("utf-8"))
            return about
        time.sleep(0.1)
    raise RuntimeError(log.read_text("utf-8"))


@pytest.fixture
def open_lesson(lab: tuple[Path, str], tab: Callable[..., Any]) -> Open:
    """Opens a notebook in JupyterLab and runs all its cells; none may fail or write to stderr."""
    folder, address = lab

    def opened(notebook: Any) -> Any:
        nbformat.write(notebook, folder / "lesson.ipynb")
        page = tab(viewport={"width": 1300, "height": 1200})
        page.goto(address.format("lesson.ipynb"))
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=WAIT_S * 1000)
        page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext")
        page.evaluate(RUN_ALL)

        assert [] == page.locator(STDERR).all_inner_texts()
        return page

    return opened


def lesson(name: str) -> Any:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def test_the_first_lesson_runs_and_its_explorer_answers(open_lesson: Open) -> None:
    """Every cell runs; a step of the explorer's slider runs the simulation again, and says and draws the new answer."""
    page = open_lesson(lesson("01-ten-requests"))
    explorer = page.locator(".jp-OutputArea-output").filter(has=page.locator(".widget-slider")).first
    said = "The last answer comes after {} s."
    picture = explorer.locator("svg.dosim-chart")
    before = picture.inner_html()
    explorer.get_by_text(said.format(5), exact=True).wait_for()
    handle = explorer.locator(".noUi-handle").nth(1)
    handle.focus()
    handle.press("ArrowRight")
    explorer.get_by_text(said.format(6), exact=True).wait_for()

    assert before != picture.inner_html()
    assert [True] * 3 == page.locator(".jp-OutputArea-output img").evaluate_all(DRAWN)


def test_the_explorer_follows_the_theme(open_lesson: Open) -> None:
    """Its picture has the paper of the light theme, of the dark one once it is chosen, and the light one's again."""
    notebook = nbformat.v4.new_notebook(metadata=lesson("01-ten-requests").metadata)
    notebook.cells.append(nbformat.v4.new_code_cell(EXPLORER))
    page = open_lesson(notebook)
    picture = page.locator(".jp-OutputArea-output svg.dosim-chart")
    picture.wait_for()
    papers = []
    for theme in ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Light"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
        page.locator(f"body[data-jp-theme-light='{str(theme.endswith('Light')).lower()}']").wait_for(state="attached")
        papers.append(picture.locator("> rect").first.evaluate("rect => getComputedStyle(rect).fill"))

    assert ["rgb(255, 255, 255)", "rgb(22, 24, 28)", "rgb(255, 255, 255)"] == papers


def test_the_player_plays_and_steps_in_a_lesson(open_lesson: Open) -> None:
    """The player that a cell ends in is a frame, which plays, pauses, and names each event that it steps to."""
    page = open_lesson(lesson("02-why-state-is-hard"))
    player = page.frame_locator(".jp-OutputArea-output iframe")
    player.get_by_role("button", name="Next event").click()
    first = player.locator(".dosim-live").inner_text()
    player.get_by_role("button", name="Play").click()
    player.get_by_role("button", name="Pause").click()
    clock = player.locator(".dosim-clock").inner_text()

    assert first.startswith("Event 1 of ")
    assert clock > "0.000000 s"


def test_the_frame_follows_the_theme_and_is_as_high_as_its_page(
    open_lesson: Open, spare_px: Callable[[Any], float]
) -> None:
    """The frame is dark as soon as JupyterLab is, and light again; nothing in it is cut off, and no room is left."""
    page = open_lesson(lesson("02-why-state-is-hard"))
    frame = page.locator(".jp-OutputArea-output iframe.dosim-frame").first
    inside = frame.content_frame
    seen = []
    for theme in ("Dark", "Light"):
        page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", f"JupyterLab {theme}"
        )
        inside.locator(f".dosim-player[data-theme={theme.lower()}]").wait_for()
        seen.append(inside.locator("html").evaluate("(html) => getComputedStyle(html).colorScheme"))
    width_px, map_px = frame.bounding_box()["width"], inside.locator(".dosim-map").bounding_box()["width"]

    assert ["dark", "light"] == seen
    assert 0 <= spare_px(frame) < 40
    assert 0 <= width_px - map_px < 40


def test_the_widget_is_in_step_with_the_kernel(open_lesson: Open) -> None:
    """The player as a widget: a step in the page reaches the kernel, and the page goes where the kernel sets it."""
    notebook = nbformat.v4.new_notebook(metadata=lesson("01-ten-requests").metadata)
    notebook.cells.append(nbformat.v4.new_code_cell(WIDGET))
    page = open_lesson(notebook)
    player = page.locator(".jp-OutputArea-output .dosim-player")
    for _ in range(4):
        player.get_by_role("button", name="Next event").click()
    said = player.locator(".dosim-live").inner_text()
    stepped = player.locator(".dosim-clock").inner_text().partition(" s")[0]
    reached = next(text for text in (page.evaluate(ASK, AT) for _ in range(50)) if text == stepped)  # sent as it can
    set_to = page.evaluate(ASK, f"shown.t_us //= 2; {AT}")
    player.locator(".dosim-clock").filter(has_text=set_to).wait_for()

    assert said.startswith("Event 4 of ")
    assert "0.000000" < set_to < reached
