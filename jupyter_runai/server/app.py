"""The extension application: one client of the engine for all handlers."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.utils import url_path_join

from jupyter_runai.client import AsyncClient
from jupyter_runai.server.handlers import handlers


class RunaiExtension(ExtensionApp):
    """GPUs and workloads in JupyterLab."""

    name = "jupyter_runai"
    app_name = "jupyter-runai"
    extension_url = "/lab"
    load_other_extensions = True

    def initialize_settings(self) -> None:
        self.settings["runai_client"] = AsyncClient()

    def initialize_handlers(self) -> None:
        base = url_path_join("/", "jupyter-runai")
        self.handlers.extend((url_path_join(base, path), handler) for path, handler in handlers())

    async def stop_extension(self) -> None:
        await self.settings["runai_client"].engine.close()
