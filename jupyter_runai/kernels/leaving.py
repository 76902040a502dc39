"""How a server, a notebook's runner or any other user of jupyter_client leaves the kernel of a workspace."""

from __future__ import annotations

import inspect
from typing import Any

from jupyter_core.utils import run_sync


def leave_running(manager: Any) -> None:
    """Let a kernel manager close its kernel here alone where it would shut it down; a restart is one as before.

    It would tell the kernel itself to end, before its provisioner is asked.
    """
    shut_down, is_async = manager.shutdown_kernel, inspect.iscoroutinefunction(manager.shutdown_kernel)

    async def close(now: bool = False, restart: bool = False) -> None:
        if restart:
            await manager._async_shutdown_kernel(now, restart)
            return
        manager.shutdown_kernel = shut_down
        manager.shutting_down = True
        manager.stop_restarter()
        await manager._async_cleanup_resources()

    manager.shutdown_kernel = close if is_async else run_sync(close)
