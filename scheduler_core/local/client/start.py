"""Finds the daemon of this engine directory, or starts one that outlives whoever asked."""

from __future__ import annotations

import fcntl
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from scheduler_core.errors import EngineUnavailable
from scheduler_core.local.machine.accounts import peer_of
from scheduler_core.local.machine.sharing import handed_on
from scheduler_core.local.machine.survival import SCOPE_PREFIX
from scheduler_core.local.wire.protocol import ENDPOINT_FILE, LOG_FILE, Endpoint
from scheduler_core.sockets import short_socket_path

START_TIMEOUT_S = 20.0
_CONNECT_TIMEOUT_S = 5.0
_START_LOCK = "start.lock"


_GIVES_MEMORY_BACK = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""For glibc: a daemon of weeks would keep what its largest answers have taken; after 10,000 workloads 16 MB more."""


def find_daemon(directory: Path, served_by: int | None = None) -> Endpoint | None:
    """The daemon that serves this directory now, as the user `served_by` where that is given; null when nobody does."""
    try:
        endpoint = msgspec.json.decode((directory / ENDPOINT_FILE).read_bytes(), type=Endpoint)
    except (OSError, msgspec.MsgspecError):
        return None
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(_CONNECT_TIMEOUT_S)
        with short_socket_path(Path(endpoint.socket)) as path:
            probe.connect(path)
        return endpoint if served_by is None or peer_of(probe).uid == served_by else None
    return None


def start_daemon(directory: Path) -> Endpoint:
    """Start a daemon unless another client was faster, and wait until it answers. Blocks.

    Raises:
        EngineUnavailable: it did not start; the message says what its log says.
    """
    lock = os.open(directory / _START_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        endpoint = find_daemon(directory)
        if endpoint is None:
            if not any(_started(directory, prefix) for prefix in _launchers()):
                raise EngineUnavailable(f"The engine did not start: {_last_words(directory)}", _log_hint(directory))
            endpoint = find_daemon(directory)
    finally:
        os.close(lock)
    if endpoint is None:
        raise EngineUnavailable("The engine started and is gone again.", _log_hint(directory))
    return endpoint


def _launchers() -> list[list[str]]:
    """Command prefixes to try: a scope of its own, where systemd would else end it with Jupyter's unit; then plain."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    systemd_run = shutil.which("systemd-run")
    if systemd_run and runtime and (Path(runtime) / "systemd" / "private").exists():
        unit = f"--unit={SCOPE_PREFIX}{secrets.token_hex(4)}"
        return [[systemd_run, "--user", "--scope", "--quiet", "--collect", unit], []]
    return [[]]


def _started(directory: Path, prefix: list[str]) -> bool:
    """Whether a daemon started by this command answered that it is ready."""
    reader, writer = os.pipe()
    with suppress(FileNotFoundError):
        # What the last one said, be it in dying, is kept once.
        (directory / LOG_FILE).replace(directory / f"{LOG_FILE}.1")
    log = os.open(directory / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "scheduler_core.local", "--ready-fd", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=_GIVES_MEMORY_BACK | handed_on(os.environ),
            pass_fds=[writer],
            start_new_session=True,
        )
        os.close(writer)
        readable, _, _ = select.select([reader], [], [], START_TIMEOUT_S)
        if readable and os.read(reader, 1):
            # The daemon is not ours to wait for; without this, Popen would warn when it is collected.
            process.returncode = 0
            return True
        process.kill()
        process.wait()
        return False
    finally:
        os.close(reader)
        os.close(log)


def _last_words(directory: Path) -> str:
    with suppress(OSError):
        lines = (directory / LOG_FILE).read_text(errors="replace").strip().splitlines()
        if lines:
            return lines[-1]
    return "it said nothing."


def _log_hint(directory: Path) -> str:
    return f"Its log: {directory / LOG_FILE}"
