"""Where time goes, by sampling: the share of each part of dosim, and the functions that take most themselves."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

#: Between two samples, seconds of CPU time (the operating system may round it up).
INTERVAL_S = 0.001
SHOWN = 30


def report(run: Callable[[], object], requests: int) -> str:
    """Sample `run()` five times over and say what share of the samples each function and each module took.

    Needs signals: not on Windows. A sample belongs to the innermost Python function; C code counts for its caller.
    """
    functions: Counter[str] = Counter()
    modules: Counter[str] = Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        if frame is not None:
            file = Path(frame.f_code.co_filename)
            module = "/".join(file.parts[-2:])
            modules[module] += 1
            functions[f"{module}:{frame.f_code.co_firstlineno} {frame.f_code.co_qualname}"] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    try:
        for _ in range(5):
            run()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    total = max(1, sum(modules.values()))
    lines = [f"{total} samples over {5 * requests} requests", "", "by module"]
    lines += [f"{count / total:6.1%}  {name}" for name, count in modules.most_common(SHOWN)]
    lines += ["", "by function, its own time"]
    lines += [f"{count / total:6.1%}  {name}" for name, count in functions.most_common(SHOWN)]
    return "\n".join(lines)
