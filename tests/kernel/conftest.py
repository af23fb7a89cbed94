"""A real ipykernel, driven as JupyterLab drives it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
#: Seconds of real time for a kernel to start, and for a batch of cells.
START_S, CELLS_S = 60, 30


@dataclass
class Cell:
    """What became of one cell: "ok", "error" or "aborted", what it printed, and the error's class and text."""

    status: str = "lost"
    stdout: str = ""
    stderr: str = ""
    error: str = ""
    idle: bool = False

    @property
    def finished(self) -> bool:
        return self.idle and self.status != "lost"


@dataclass
class Kernel:
    """One kernel. `run_all` queues every cell before the first has run, as Run All does."""

    manager: Any
    client: Any
    cells: dict[str, Cell] = field(default_factory=dict)

    def send(self, code: str) -> Cell:
        cell = self.cells[self.client.execute(code)] = Cell()
        return cell

    def run_all(self, *codes: str) -> list[Cell]:
        cells = [self.send(code) for code in codes]
        self.until(lambda: all(cell.finished for cell in cells))
        return cells

    def until(self, there: Callable[[], bool]) -> None:
        """Take messages until `there()`; fails when that takes too long."""
        end = time.monotonic() + CELLS_S
        while not there():
            assert time.monotonic() < end, f"not there after {CELLS_S} s: {list(self.cells.values())}"
            for channel in (self.client.iopub_channel, self.client.shell_channel):
                if channel.socket.poll(20):
                    self._take(channel.get_msg(timeout=1))

    def _take(self, message: dict[str, Any]) -> None:
        cell, content = self.cells.get(message["parent_header"].get("msg_id", "")), message["content"]
        if cell is None:
            return
        match message["msg_type"]:
            case "execute_reply":
                cell.status = content["status"]
                cell.error = f"{content['ename']}: {content['evalue']}" if content.get("ename") else cell.error
            case "stream":
                setattr(cell, content["name"], getattr(cell, content["name"]) + content["text"])
            case "status":
                cell.idle = content["execution_state"] == "idle"

    def interrupt(self) -> None:
        """What the stop button does: SIGINT."""
        self.manager.interrupt_kernel()


@pytest.fixture(scope="module")
def start_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Kernel]]:
    """A function that starts a fresh kernel; all are stopped at the end of the module."""
    from jupyter_client.manager import KernelManager

    kernels: list[Kernel] = []

    def start() -> Kernel:
        folder = tmp_path_factory.mktemp("kernel")
        manager = KernelManager(kernel_name="python3", connection_file=str(folder / "connection.json"))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder)}
        environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # a debugger's advice on stderr
        manager.start_kernel(cwd=str(folder), env=environment)
        client = manager.blocking_client()
        kernels.append(Kernel(manager, client))
        client.start_channels()
        client.wait_for_ready(timeout=START_S)
        return kernels[-1]

    yield start
    for kernel in kernels:
        kernel.client.stop_channels()
        kernel.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def run_script() -> Callable[[str], str]:
    """A function that runs a program in a fresh interpreter and returns what it printed."""

    def run(program: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
