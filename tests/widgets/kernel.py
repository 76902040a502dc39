"""A kernel that a test talks to as a notebook and its widgets do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from tests.sockets import own_kernel

LONGEST_S = 120


class Kernel:
    """Runs code, and says to widgets what a browser would say."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, code: str) -> str:
        """What the code printed; an error in it is the test's."""
        printed: list[str] = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                printed.append(content["text"])

        reply = self._client.execute_interactive(code, timeout=LONGEST_S, output_hook=take)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", []))
        return "".join(printed).strip()

    def say(self, widget: str, **content: Any) -> None:
        """A message from the page to the widget in this variable."""
        model = self.run(f"print({widget}.model_id)")
        data = {"method": "custom", "content": content}
        self._client.shell_channel.send(self._client.session.msg("comm_msg", {"comm_id": model, "data": data}))

    def hear(self) -> dict[str, Any]:
        """The next message from a widget to its pages."""
        while True:
            message = self._client.get_iopub_msg(timeout=LONGEST_S)
            data = message["content"].get("data", {})
            if message["msg_type"] == "comm_msg" and data["method"] == "custom":
                said: dict[str, Any] = data["content"]
                return said

    def press(self, widget: str, button: str) -> None:
        self.say(widget, type="pressed", button=button)

    def fill(self, widget: str, field: str, value: str | bool) -> None:
        self.say(widget, type="filled", field=field, value=value)

    def until(self, widget: str, reached: str) -> None:
        """Wait, with the kernel's main thread busy, until this is true of what the widget shows, called `shown`."""
        self.run(f"until({widget}, lambda shown: {reached})")


@contextmanager
def kernel(folder: Path) -> Iterator[Kernel]:
    """A kernel of its own, with the widgets loaded."""
    with own_kernel(folder) as (_, client):
        kernel = Kernel(client)
        kernel.run("from jupyter_runai.widgets import *\nfrom tests.widgets.in_kernel import *")
        yield kernel
