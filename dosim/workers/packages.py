"""What the platform's SDK changes in public packages when a Worker loads them.

Source: workers-runtime-sdk 1.9.5, `_workers_sdk_package_patches`; its patches for the entropy of snapshots have no
counterpart here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from dosim.kernel.loop import Loop


def run_inline(module: ModuleType) -> None:
    """`anyio.to_thread.run_sync` calls the function where it stands: a Worker has no threads.

    FastAPI's and Starlette's synchronous handlers, dependencies, background tasks and files all go through it. Outside
    a simulation the package's own function is called, since this Python may use the module for something else.
    """
    if hasattr(module.run_sync, "in_thread"):
        return
    in_thread = module.run_sync

    async def run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if isinstance(asyncio.get_running_loop(), Loop):
            return func(*args)
        return await in_thread(func, *args, **options)

    run_sync.in_thread = in_thread  # type: ignore[attr-defined]
    module.run_sync = run_sync  # type: ignore[attr-defined]


#: Module name -> what is changed in it once it is loaded.
PATCHES: dict[str, Callable[[ModuleType], None]] = {"anyio.to_thread": run_inline}


def patch_loaded() -> None:
    """Change what this Python has loaded of those packages."""
    for name, patch in PATCHES.items():
        if name in sys.modules:
            patch(sys.modules[name])
