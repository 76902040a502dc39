"""What the notebook side costs.

kernel   from the request for a kernel to its first answer (`kernel_info`), on half a device above a plain one; runs
         alternate, the engine's daemon runs already, and both kernels are those of this Python

Engines have simulated devices and a private folder.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from shape import arguments, report

from jupyter_runai.client import Client
from jupyter_runai.kernels.specs import install_spec
from scheduler_core.local import LocalEngine
from scheduler_core.local.settings import Settings

KERNELS = 15
PLAIN, LEASED = "python3", "runai-half"


@contextmanager
def engine() -> Iterator[Path]:
    """A private folder whose engine simulates two devices; its daemon starts when first asked, and ends here."""
    with tempfile.TemporaryDirectory(prefix="runai-") as folder:
        os.environ["RUNAI_ENGINE_DIR"] = folder
        Settings(simulate="2xA100-80GB").write(Path(folder))
        yield Path(folder)
        client = Client()
        for workload in client.list():
            if not workload.has_ended:
                client.stop(workload.id)
        asyncio.run(LocalEngine().shutdown())


def kernel() -> None:
    with engine() as folder:
        for kind in ("CONFIG", "DATA", "RUNTIME"):
            os.environ[f"JUPYTER_{kind}_DIR"] = str(folder / kind)
        install_spec("half", "Python 3 (0.5 GPU)", {"gpu": "0.5"}, sys_prefix=False)
        Client().info()
        pairs = asyncio.run(kernels())
    leased, plain = ([pair[which] for pair in pairs] for which in (0, 1))
    beside = {"leased": statistics.median(leased), "plain": statistics.median(plain), "slowest leased": max(leased)}
    added = statistics.median(leased) - statistics.median(plain)
    report("notebook", "kernel", added, "ms", 150.0, "lower", beside)


async def kernels() -> list[tuple[float, float]]:
    return [(await kernel_started(LEASED), await kernel_started(PLAIN)) for _ in range(KERNELS + 2)][2:]


async def kernel_started(name: str) -> float:
    """Milliseconds from the request for a kernel to its first answer."""
    started = time.monotonic()
    manager = AsyncKernelManager(kernel_name=name)
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    elapsed = (time.monotonic() - started) * 1000
    client.stop_channels()
    await manager.shutdown_kernel()
    return elapsed


CASES = {"kernel": kernel}


def main() -> None:
    """Run one case, or all."""
    chosen = arguments(__doc__, cases=list(CASES)).case
    for name, case in CASES.items():
        if chosen in (None, name):
            case()


if __name__ == "__main__":
    main()
