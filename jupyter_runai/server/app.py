"""The extension application: one client of the engine for all handlers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join
from prometheus_client import REGISTRY
from traitlets import Bool

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.handlers import handlers
from jupyter_runai.server.metrics import RunaiCollector
from jupyter_runai.server.presence import CONTENTS_EVENTS, Presence
from jupyter_runai.server.relay import Relay
from jupyter_runai.server.transitions import Transitions


class RunaiExtension(ExtensionApp):
    """GPUs and workloads in JupyterLab."""

    name = "jupyter_runai"
    app_name = "jupyter-runai"
    extension_url = "/lab"
    load_other_extensions = True

    watch_from_start: bool = Bool(  # type: ignore[assignment]
        False,
        help="Start the engine and watch it as soon as the server runs, not when somebody first opens JupyterLab.",
    ).tag(config=True)

    def initialize_settings(self) -> None:
        self.settings["runai_client"] = AsyncClient()
        assert self.serverapp is not None  # noqa: S101 (settings come from a server)
        assert self.serverapp.event_logger is not None  # noqa: S101 (it has made one by now)
        of_server = self.serverapp.web_app.settings
        relay = Relay(lambda: of_server["runai_client"].engine, Transitions(self.serverapp.event_logger).emit)
        self.settings["runai_relay"] = relay
        presence = Presence(self.serverapp.kernel_manager, self.serverapp.session_manager)
        self.serverapp.event_logger.add_listener(schema_id=CONTENTS_EVENTS, listener=presence.heard)
        self._collector = RunaiCollector(relay)
        REGISTRY.register(self._collector)

    def initialize_handlers(self) -> None:
        base = url_path_join("/", "jupyter-runai")
        self.handlers.extend((url_path_join(base, path), handler) for path, handler in handlers())

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        if self.watch_from_start:
            self.settings["runai_relay"].start()

    async def stop_extension(self) -> None:
        with suppress(KeyError):
            REGISTRY.unregister(self._collector)
        await self.settings["runai_relay"].close()
        await self.settings["runai_client"].engine.close()
