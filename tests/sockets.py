"""Kernels of tests listen on sockets in a folder: a port that is free when chosen can be taken once it is bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from traitlets.config import Config

_LONGEST_S = 60


@contextmanager
def own_sockets() -> Iterator[Config]:
    """Jupyter's configuration for one kernel; the folder's path is short, since that of a socket must be."""
    with TemporaryDirectory(prefix="k") as folder:
        yield Config(KernelManager={"transport": "ipc", "ip": f"{folder}/s"})


@contextmanager
def own_kernel(folder: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel that works in `folder`, ready."""
    with own_sockets() as config:
        manager = KernelManager(kernel_name="python3", config=config)
        manager.start_kernel(cwd=str(folder))
        client = manager.blocking_client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=_LONGEST_S)
            yield manager, client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
