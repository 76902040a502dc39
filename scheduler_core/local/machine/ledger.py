"""What the engines of all users of this host hold, one locked file for each device.

Claims die with the process that they name, so an engine that vanished leaves nothing behind. The files are writable
by every user of the host: this keeps colleagues from booking a share twice, it is no barrier against malice.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import msgspec
from msgspec import Struct

from scheduler_core.errors import EngineUnavailable
from scheduler_core.local.machine.identity import Process
from scheduler_core.model import MILLI

_LONGEST_WAIT_S = 2.0


class Claim(Struct, frozen=True, kw_only=True):
    """A share of one device held for one workload: thousandths, or MiB of its memory."""

    engine: str
    workload: str
    name: str
    owner: str
    device: str
    milli: int = 0
    memory_mib: int = 0
    holder: Process

    def share(self, device_mib: int) -> Fraction:
        """The share of a device of `device_mib` MiB, exact."""
        return Fraction(self.milli, MILLI) + (Fraction(self.memory_mib, device_mib) if self.memory_mib else 0)


class Ledger:
    """The claims on this host's devices, seen from one engine.

    `own` says what this engine holds, or is about to hold, at the moment it is asked; a file is always written from
    that, so a claim that was left behind by mistake is gone at the next write.
    """

    def __init__(self, folder: Path, engine: str, own: Callable[[], Iterable[Claim]]) -> None:
        self._folder = folder
        self._engine = engine
        self._own = own
        _make_shared(folder)

    def others(self, devices: Iterable[str]) -> tuple[Claim, ...]:
        """Live claims of other engines on these devices."""
        found: list[Claim] = []
        for device in devices:
            with self._locked(device) as file:
                found += self._others(file)
        return tuple(found)

    def book(self, memory_mib: Mapping[str, int]) -> bool:
        """Write down what this engine holds of these devices (their MiB by id); false where it would over-book one."""
        for device, device_mib in memory_mib.items():
            with self._locked(device) as file:
                others, own = self._others(file), self._owned(device)
                if sum((claim.share(device_mib) for claim in (*others, *own)), Fraction(0)) > 1:
                    return False
                _write(file, [*others, *own])
        return True

    def refresh(self, devices: Iterable[str]) -> None:
        """Write down anew what this engine holds of these devices; it was granted before, so it is not tested."""
        for device in devices:
            with self._locked(device) as file:
                claims = [*self._others(file), *self._owned(device)]
                if claims != _read(file):
                    _write(file, claims)

    def _others(self, file: int) -> list[Claim]:
        return [claim for claim in _read(file) if claim.engine != self._engine and claim.holder.is_alive()]

    def _owned(self, device: str) -> list[Claim]:
        return [claim for claim in self._own() if claim.device == device]

    @contextmanager
    def _locked(self, device: str) -> Iterator[int]:
        path = self._folder / f"{device}.json"
        file = _open_shared(path)
        try:
            deadline = time.monotonic() + _LONGEST_WAIT_S
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EngineUnavailable(
                            f"Another process keeps {path} locked.", f"Find it with: fuser {path}"
                        ) from None
                    time.sleep(0.005)
            yield file
        finally:
            os.close(file)


def _make_shared(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise EngineUnavailable(f"The host's ledger of devices {folder} cannot be opened: {error.strerror}.") from error
    try:
        if os.getuid() == 0:
            # Whoever owns a folder can put another in its place, which root's engine would then write to.
            os.fchown(descriptor, 0, 0)
        # Also where an earlier start ended between making it and opening it to others.
        if os.fstat(descriptor).st_uid == os.getuid():
            os.fchmod(descriptor, 0o1777)
    finally:
        os.close(descriptor)


def _open_shared(path: Path) -> int:
    file = _open_or_make(path)
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        # Such as a second name of a file that is not the ledger's.
        os.close(file)
        raise EngineUnavailable(f"The host's ledger of devices {path} is no file of its own.", "Remove it.")
    return file


def _open_or_make(path: Path) -> int:
    # Without O_CREAT first: the kernel refuses to "create" a colleague's file in a sticky folder.
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with suppress(FileNotFoundError):
            return os.open(path, flags)
        with suppress(FileExistsError):
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(file, 0o666)
            return file
        return os.open(path, flags)
    except OSError as error:
        raise EngineUnavailable(f"The host's ledger of devices cannot be opened: {path}: {error.strerror}.") from error


def _read(file: int) -> list[Claim]:
    content = os.pread(file, os.fstat(file).st_size, 0)
    if not content:
        return []
    try:
        return msgspec.json.decode(content, type=list[Claim])
    except msgspec.MsgspecError:
        # Torn by a crash in the middle of a write: every engine writes its claims anew at its next cycle.
        return []


def _write(file: int, claims: list[Claim]) -> None:
    content = msgspec.json.encode(claims)
    os.pwrite(file, content, 0)
    os.ftruncate(file, len(content))
