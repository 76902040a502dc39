"""The users of this system: their names, and as whom their processes run."""

from __future__ import annotations

import os
import pwd
import socket
import struct
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from scheduler_core.errors import NotAllowed

_CREDENTIALS = struct.Struct("=iII")
_OVERFLOW = Path("/proc/sys/kernel/overflowuid")


class Account(Struct, frozen=True):
    """A user by number, with the group that their processes run in."""

    uid: int
    gid: int

    @staticmethod
    def of(uid: int, gid: int) -> Account:
        """The account of a process of this user and group: the user's own first group, where the system knows them."""
        with suppress(KeyError):
            return Account(uid, pwd.getpwuid(uid).pw_gid)
        return Account(uid, gid)

    def name(self) -> str:
        """The user's name; the number where the system has none.

        Raises:
            NotAllowed: the name would be somebody else's too, or the number stands for everybody whom this system
                cannot tell apart.
        """
        if self.uid == _overflow_uid():
            raise NotAllowed(
                "This system cannot tell who you are.", "Users of a container need numbers of their own on the host."
            )
        name = _name_of(self.uid) or str(self.uid)
        with suppress(KeyError):
            if pwd.getpwnam(name).pw_uid != self.uid:
                raise NotAllowed(f"{name} is the name of two users of this system.", "An administrator can mend that.")
        return name

    def groups(self) -> list[int]:
        """All groups of the user; the first alone where the system has no name for them."""
        name = _name_of(self.uid)
        return [self.gid] if name is None else os.getgrouplist(name, self.gid)


def owner_of(path: Path) -> str | None:
    """The name of the user whose file this is, the number where there is no name; null where there is no file."""
    try:
        uid = path.stat().st_uid
    except OSError:
        return None
    return _name_of(uid) or str(uid)


def peer_of(connection: socket.socket) -> Account:
    """As whom the other side of a Unix socket's connection has opened it, or listens: the kernel's word."""
    _, uid, gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Account(uid, gid)


def _name_of(uid: int) -> str | None:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return None


def _overflow_uid() -> int | None:
    """The number that stands for every user of another namespace who has none here."""
    with suppress(OSError, ValueError):
        return int(_OVERFLOW.read_text())
    return None
