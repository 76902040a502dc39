"""What people at a kernel are told of its lease, in the ways that Jupyter has for it."""

from __future__ import annotations

from typing import Any

from jupyter_runai.kernels.lease import Lease
from jupyter_runai.words.waiting import waiting_words


class Notices:
    """Tells the manager of one kernel, and through it the browsers, what becomes of its lease."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._was_attached = False
        self._has_run = False
        self._said = ""

    def tell(self, lease: Lease) -> None:
        """Say what is new; call it on the manager's event loop at each change."""
        if lease.is_ending:
            return
        if lease.workload.has_ended:
            self._say(f"{lease.workload.name} {lease.workload.state}. {lease.workload.reason}".strip())
            if self._has_run:
                self._fire("dead")
            self._has_run = False
            return
        if lease.is_attached:
            self._say("")
        elif words := waiting_words(lease.workload):
            self._say(f"{lease.workload.name} waits: {'; '.join(word.rstrip('.') for word in words)}.")
        if self._was_attached and not lease.is_attached:
            self._show_state("restarting")
            self._fire("restart")
        self._was_attached = lease.is_attached
        self._has_run |= lease.is_attached

    def _say(self, sentence: str) -> None:
        """As the reason in /api/kernels, and in the server's log."""
        if sentence == self._said:
            return
        self._said = sentence
        if hasattr(self._manager, "reason"):
            self._manager.reason = sentence
        if sentence:
            self._manager.log.info("Kernel %s: %s", self._manager.kernel_id, sentence)

    def _show_state(self, state: str) -> None:
        if hasattr(self._manager, "execution_state"):
            self._manager.execution_state = state

    def _fire(self, event: str) -> None:
        """As the restarter does for a kernel that it restarts, or gives up."""
        restarter = getattr(self._manager, "_restarter", None)
        if restarter is None:
            return
        if event == "dead":
            restarter.stop()
        restarter._fire_callbacks(event)
