"""NVIDIA's Multi-Process Service, without root: clients of one device, each under its own limit of memory and compute.

Both protocols of `nvidia-cuda-mps-control` are spoken. Version 3 (driver r615 on) holds the limits in its daemon: a
namespace for each client. Version 2 takes them from each client's variables, one daemon a device. What a daemon was
told is read back, since it answers well to some things that it then forgets.

Source: https://docs.nvidia.com/deploy/mps/ (interfaces v2 and v3).
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from scheduler_core.local.machine.identity import SERVICE
from scheduler_core.workload import HeldDevice

_log = logging.getLogger(__name__)
_CONTROL = "nvidia-cuda-mps-control"
_ANSWER_S = 10.0
_LONGEST_PIPE_PATH = 75
_UNKNOWN = ("Unrecognized option", "Unknown command")


class MpsRefused(Exception):
    """The service is not there, or did not do what it was asked to."""


class Mps(Protocol):
    """The service in one of its versions. All calls block, and raise `MpsRefused`."""

    @property
    def level(self) -> Literal["mps-v3", "mps-v2"]: ...

    def admit(self, client: str, held: HeldDevice) -> dict[str, str]:
        """The variables with which a client of this name runs under the limits of its share."""
        ...

    def change(self, client: str, held: HeldDevice) -> None:
        """Set other limits for a client that runs."""
        ...

    def dismiss(self, client: str, device: str, is_last: bool) -> None:
        """Forget a client that has gone; where it was the last on its device, the service leaves the device too."""
        ...

    def clients(self, device: str) -> set[int]:
        """The pids that compute on a device through the service."""
        ...

    def terminate(self, device: str, pids: Collection[int]) -> None:
        """Take clients off a device in order: one that is killed with work in flight can break it for the others."""
        ...


def find_mps(folder: Path) -> Mps | None:
    """The newest version that works on this machine, its pipes below `folder`; null where there is none."""
    program = shutil.which(_CONTROL)
    if program is None:
        return None
    for version in (MpsV3, MpsV2):
        with suppress(MpsRefused):
            return version(program, folder)
    return None


class MpsV3:
    """One daemon for all devices; a server for each device, a namespace for each client."""

    @property
    def level(self) -> Literal["mps-v3"]:
        return "mps-v3"

    def __init__(self, program: str, folder: Path) -> None:
        self._control = _Control(program, folder / "v3", {})
        self._start()

    def admit(self, client: str, held: HeldDevice) -> dict[str, str]:
        self._start()
        server, namespace = _server(held.id), _namespace(client)
        path = self._control.pipe / server / namespace
        _check_length(path)
        if server not in self._servers():
            self._control.run("server", "create", server, f"--allowed-devices={held.id}")
            if server not in self._servers():
                raise MpsRefused(f"The server for {held.id} was made and is not there.")
        if namespace in self._namespaces(server):
            self._control.run("namespace", "delete", namespace, f"--server={server}")
        self._control.run("namespace", "create", namespace, f"--server={server}")
        self.change(client, held)
        if namespace not in self._namespaces(server):
            raise MpsRefused(f"The namespace {namespace} was made and is not there.")
        return {"CUDA_MPS_PIPE_DIRECTORY": str(path)}

    def change(self, client: str, held: HeldDevice) -> None:
        self._control.run(
            "namespace",
            "set",
            _namespace(client),
            f"--server={_server(held.id)}",
            f"--pinned-memory-limit={held.most_mib}M",
            f"--active-thread-percentage={_percentage(held)}",
        )

    def dismiss(self, client: str, device: str, is_last: bool) -> None:
        server = _server(device)
        self._control.run("namespace", "delete", _namespace(client), f"--server={server}")
        if is_last:
            self._control.run("server", "delete", server)

    def clients(self, device: str) -> set[int]:
        rows = self._control.rows("client", "list", "--all")
        return {int(row[0]) for row in rows if len(row) > 1 and row[0].isdecimal() and row[1] == _server(device)}

    def terminate(self, device: str, pids: Collection[int]) -> None:
        for pid in self.clients(device) & set(pids):
            self._control.run("client", "terminate", str(pid))

    def _start(self) -> None:
        if not self._control.answers("server", "list"):
            self._control.run("-d", "-p", "3")

    def _servers(self) -> set[str]:
        return {row[0] for row in self._control.rows("server", "list")}

    def _namespaces(self, server: str) -> set[str]:
        return {row[0] for row in self._control.rows("namespace", "list", f"--server={server}")}


class MpsV2:
    """One daemon for each device, started when the device is first shared."""

    @property
    def level(self) -> Literal["mps-v2"]:
        return "mps-v2"

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def admit(self, client: str, held: HeldDevice) -> dict[str, str]:
        control = self._of(held.id)
        _check_length(control.pipe)
        if not control.answers(said="get_server_list"):
            control.run("-d")
        control.run(said=f"start_server -uid {os.getuid()}")
        if not control.run(said="get_server_list").split():
            raise MpsRefused(f"The server for {held.id} was started and is not there.")
        return control.variables | {
            "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": str(_percentage(held)),
            # One name of a device that the client does not see, and it would lose every limit.
            "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": f"{held.id}={held.most_mib}M",
        }

    def change(self, client: str, held: HeldDevice) -> None:
        raise MpsRefused("The limits of a client are in its own variables.")

    def dismiss(self, client: str, device: str, is_last: bool) -> None:
        if is_last:
            self._of(device).run(said="quit")

    def clients(self, device: str) -> set[int]:
        return {client for server in self._servers(device) for client in self._clients_of(device, server)}

    def terminate(self, device: str, pids: Collection[int]) -> None:
        for server in self._servers(device):
            for client in self._clients_of(device, server) & set(pids):
                self._of(device).run(said=f"terminate_client {server} {client}")

    def _of(self, device: str) -> _Control:
        # The server numbers its devices anew: only the UUID says which.
        return _Control(self._program, self._folder / f"v2-{_digest(device)}", {"CUDA_VISIBLE_DEVICES": device})

    def _servers(self, device: str) -> list[int]:
        return [int(word) for word in self._of(device).run(said="get_server_list").split() if word.isdecimal()]

    def _clients_of(self, device: str, server: int) -> set[int]:
        answer = self._of(device).run(said=f"get_client_list {server}")
        return {int(word) for word in answer.split() if word.isdecimal()}


class _Control:
    """The control program, and the daemon behind one folder of pipes."""

    def __init__(self, program: str, pipe: Path, environment: dict[str, str]) -> None:
        self.pipe = pipe
        self.variables = {"CUDA_MPS_PIPE_DIRECTORY": str(pipe), "CUDA_MPS_LOG_DIRECTORY": str(pipe / "log")}
        self._program = program
        own = {"PATH": os.environ.get("PATH", os.defpath), "RUNAI_TASK_ID": SERVICE}
        self._environment = {**own, **environment, **self.variables}

    def run(self, *words: str, said: str = "") -> str:
        """What the program answers to these words, or to a line said to it.

        Raises:
            MpsRefused: it failed, or did not answer in time.
        """
        (self.pipe / "log").mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            done = subprocess.run(
                [self._program, *words],
                input=f"{said}\n" if said else None,
                stdin=None if said else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                env=self._environment,
                timeout=_ANSWER_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MpsRefused(f"{_CONTROL} does not answer: {error}") from error
        # Version 2 answers well to what it does not know, version 3's words among it.
        if done.returncode or (done.stdout or done.stderr).startswith(_UNKNOWN):
            asked = " ".join(words) or said
            raise MpsRefused(f"{_CONTROL} refused {asked!r}: {(done.stderr or done.stdout).strip()[:300]}")
        return done.stdout

    def rows(self, *words: str) -> list[list[str]]:
        """An answer in rows of fields."""
        answer = self.run(*words, "--format=csv,noheader")
        return [[field.strip() for field in line.split(",")] for line in answer.splitlines() if line.strip()]

    def answers(self, *words: str, said: str = "") -> bool:
        """Whether a daemon answers here."""
        try:
            self.run(*words, said=said)
        except MpsRefused:
            return False
        return True


def _digest(device: str) -> str:
    return hashlib.sha256(device.encode()).hexdigest()[:8]


def _server(device: str) -> str:
    return f"d{_digest(device)}"


def _namespace(client: str) -> str:
    return f"t{client.replace('-', '_')}"


def _percentage(held: HeldDevice) -> int:
    """The share of compute in whole percent, at least one: a limit that is never above the share but there."""
    return max(1, held.most_milli // 10)


def _check_length(pipe: Path) -> None:
    if len(os.fsencode(pipe)) > _LONGEST_PIPE_PATH:
        raise MpsRefused(f"The path {pipe} is too long for the service's sockets.")
