"""A kernel that a test talks to while a cell runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.sockets import own_kernel

_LONGEST_S = 60


class LiveKernel:
    """Starts cells, waits for what they say, interrupts and completes."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def start(self, source: str) -> None:
        """Let a cell run."""
        self._client.execute(source)

    def run(self, source: str) -> str:
        """Run a cell to its end; what it said."""
        self.start(source)
        return self.until_done()

    def until_said(self, text: str) -> str:
        """Wait until the cell has printed, raised or shown this."""
        return self._until(lambda said, message: text in said)

    def until_done(self) -> str:
        return self._until(lambda said, message: message["content"].get("execution_state") == "idle")

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def complete(self, code: str) -> list[str]:
        """What is offered with the cursor at the end of this code, as it would then read."""
        reply = self._client.complete(code, reply=True, timeout=_LONGEST_S)["content"]
        return [code[: reply["cursor_start"]] + match for match in reply["matches"]]

    def _until(self, reached: Any) -> str:
        said = ""
        while True:
            message = self._client.get_iopub_msg(timeout=_LONGEST_S)
            if message["msg_type"] == "stream":
                said += message["content"]["text"]
            elif message["msg_type"] in ("display_data", "update_display_data"):
                said += message["content"]["data"].get("text/plain", "")
            elif message["msg_type"] == "error":
                said += f"{message['content']['ename']}: {message['content']['traceback']}"
            if reached(said, message):
                return said


@contextmanager
def live_kernel(folder: Path) -> Iterator[LiveKernel]:
    """A kernel that works in `folder`, with the magics."""
    with own_kernel(folder) as (manager, client):
        kernel = LiveKernel(manager, client)
        kernel.run("%load_ext jupyter_runai")
        yield kernel
