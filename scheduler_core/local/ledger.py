"""What the engines of all users of this host hold, one locked file for each device.

Claims die with the process that they name, so an engine that vanished leaves nothing behind. The files are writable
by every user of the host: this keeps colleagues from booking a share twice, it is no barrier against malice.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import msgspec
from msgspec import Struct

from scheduler_core.errors import EngineUnavailable
from scheduler_core.local.identity import Process
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
    """The claims on this host's devices, seen from one engine."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._folder = folder
        self.engine = engine
        _make_shared(folder)

    def others(self, devices: Iterable[str]) -> tuple[Claim, ...]:
        """Live claims of other engines on these devices."""
        found: list[Claim] = []
        for device in devices:
            with self._locked(device) as file:
                found += [claim for claim in _read(file) if claim.engine != self.engine and claim.holder.is_alive()]
        return tuple(found)

    def claim_all(self, claims: Iterable[Claim], memory_mib: Mapping[str, int]) -> bool:
        """Take all these shares, or none where one would over-book its device.

        `memory_mib` is the memory of each device. Taking the same share again changes nothing.
        """
        taken: list[Claim] = []
        for claim in claims:
            if not self._claim(claim, memory_mib[claim.device]):
                for other in taken:
                    self.release(other.workload, [other.device])
                return False
            taken.append(claim)
        return True

    def renew(self, claims: Iterable[Claim]) -> None:
        """Write down again what this engine holds where a file has lost it; it was granted, so it is not tested."""
        for claim in claims:
            with self._locked(claim.device) as file:
                held = _read(file)
                if claim not in held:
                    _write(file, [*(other for other in held if other.workload != claim.workload), claim])

    def release(self, workload: str, devices: Iterable[str]) -> None:
        """Give back what a workload of this engine holds of these devices."""
        for device in devices:
            with self._locked(device) as file:
                held = _read(file)
                kept = [claim for claim in held if (claim.engine, claim.workload) != (self.engine, workload)]
                if len(kept) < len(held):
                    _write(file, kept)

    def _claim(self, claim: Claim, device_mib: int) -> bool:
        with self._locked(claim.device) as file:
            held = [
                other
                for other in _read(file)
                if (other.engine, other.workload) != (claim.engine, claim.workload) and other.holder.is_alive()
            ]
            if sum((other.share(device_mib) for other in held), claim.share(device_mib)) > 1:
                return False
            _write(file, [*held, claim])
        return True

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
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(0o1777)


def _open_shared(path: Path) -> int:
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
