"""Who saves a notebook is there: its kernel does not count as idle, where a browser is connected to it."""

from __future__ import annotations

from typing import Any

from jupyter_runai.kernels.provisioner import RunaiProvisioner

CONTENTS_EVENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"
"""What the server tells of files. JupyterLab saves a notebook by itself while somebody changes it, and only then."""


class Presence:
    """Tells the kernels of one server that somebody works on their notebooks: that, and nothing of what they do."""

    def __init__(self, kernels: Any, sessions: Any) -> None:
        self._kernels = kernels
        self._sessions = sessions

    async def heard(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        """Take up what happened to a file; the parameters' names are those of jupyter_events."""
        if data["action"] != "save":
            return
        for session in await self._sessions.list_sessions():
            kernel = session["kernel"]
            if session["path"] != data["path"] or not kernel or not kernel["connections"]:
                continue
            provisioner = getattr(self._kernels.get_kernel(kernel["id"]), "provisioner", None)
            if isinstance(provisioner, RunaiProvisioner):
                await provisioner.note_presence()
