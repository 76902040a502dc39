"""Which engine a client talks to: the one it names, else the one that the users of this host share, else its own."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Protocol

from scheduler_core.errors import EngineUnavailable
from scheduler_core.local.client.start import find_daemon, start_daemon
from scheduler_core.local.machine.paths import (
    ENGINE_DIRECTORY_VARIABLE,
    engine_directory,
    is_roots_alone,
    shared_directory,
)
from scheduler_core.local.wire.protocol import ENDPOINT_FILE, STAGING, Endpoint

_log = logging.getLogger(__name__)
_COMES_BACK_S = 10.0
_LOOK_AGAIN_S = 0.1


class Found(Protocol):
    """The engine of a client, be its daemon there or not. All calls block."""

    is_shared: bool

    def daemon(self) -> Endpoint | None:
        """The daemon that answers now."""
        ...

    def start(self) -> Endpoint:
        """The daemon, once there is one.

        Raises:
            EngineUnavailable: none comes.
        """
        ...

    def staging(self) -> Path:
        """The folder, on the engine's disk, in which inputs are put."""
        ...


class OwnEngine:
    """The private engine in this directory; whoever asks first starts it."""

    is_shared = False

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def daemon(self) -> Endpoint | None:
        return find_daemon(self._directory)

    def start(self) -> Endpoint:
        return start_daemon(self._directory)

    def staging(self) -> Path:
        return self._directory / STAGING


class SharedEngine:
    """The engine of all users, which root alone starts; one that has just left is given a moment to come back."""

    is_shared = True

    def __init__(self, meeting: Path) -> None:
        self._meeting = meeting

    def is_there(self) -> bool:
        """Whether root has told of a shared engine here, and has not taken that back."""
        told = self._meeting / ENDPOINT_FILE
        if not told.exists():
            return False
        if not is_roots_alone(told):
            _log.warning("%s could be changed by others than root: it tells of no shared engine.", told)
            return False
        return True

    def daemon(self) -> Endpoint | None:
        # Asked each time: what was root's when this client began need not be so now.
        return find_daemon(self._meeting, served_by=0) if self.is_there() else None

    def start(self) -> Endpoint:
        deadline = time.monotonic() + _COMES_BACK_S
        while (endpoint := self.daemon()) is None:
            if time.monotonic() > deadline:
                raise EngineUnavailable(
                    "The engine that the users of this host share does not answer.",
                    f"Ask its administrator, or set {ENGINE_DIRECTORY_VARIABLE} to a folder for an engine of your own.",
                )
            time.sleep(_LOOK_AGAIN_S)
        return endpoint

    def staging(self) -> Path:
        directory = self.start().directory
        if directory is None:
            raise EngineUnavailable("The engine that the users of this host share does not say where it lies.")
        return Path(directory) / STAGING


def find_engine() -> Found:
    """The engine of this process: that of RUNAI_ENGINE_DIR, else the shared one of this host, else the user's own.

    Where there is a shared engine it is taken even while it does not answer: its quotas are not to be passed by.

    Raises:
        EngineUnavailable: the folder of one's own cannot be used.
    """
    shared = SharedEngine(shared_directory())
    if not os.environ.get(ENGINE_DIRECTORY_VARIABLE) and shared.is_there():
        return shared
    return OwnEngine(engine_directory())
