"""Where the engine of this user on this host keeps its state and its socket."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from scheduler_core.errors import EngineUnavailable

ENGINE_DIRECTORY_VARIABLE = "RUNAI_ENGINE_DIR"
LEDGER_DIRECTORY_VARIABLE = "RUNAI_LEDGER_DIR"
SHARED_DIRECTORY_VARIABLE = "RUNAI_SHARED_DIR"

_NETWORK_FILESYSTEMS = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)


def engine_directory() -> Path:
    """The engine's folder, private (0700), one a host, never on a network filesystem.

    SQLite's write-ahead log and file locks do not hold on NFS, and one home serves many hosts; homes on a network
    filesystem therefore keep their engine under /var/tmp. RUNAI_ENGINE_DIR names another folder.
    """
    named = os.environ.get(ENGINE_DIRECTORY_VARIABLE)
    if named:
        return private_directory(Path(named).absolute())
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    if _on_network_filesystem(data):
        # Level by level: in a folder that everybody may write, a stranger could have made the outer one.
        own = private_directory(Path("/var/tmp") / f"jupyter-runai-{os.getuid()}")  # noqa: S108
        return private_directory(own / socket.gethostname())
    return private_directory(data / "jupyter-runai" / socket.gethostname())


def runtime_directory(engine: Path) -> Path:
    """The folder of the socket: the user's runtime directory, or the engine's own folder when that was named."""
    if os.environ.get(ENGINE_DIRECTORY_VARIABLE):
        return engine
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return private_directory(Path(runtime) / "jupyter-runai")
    return private_directory(Path("/tmp") / f"jupyter-runai-{os.getuid()}")  # noqa: S108


def ledger_directory() -> Path:
    """Where the engines of all users of this host write down what they hold; it need not survive a reboot."""
    named = os.environ.get(LEDGER_DIRECTORY_VARIABLE)
    if named:
        return Path(named)
    shared_memory = Path("/dev/shm")  # noqa: S108
    return (shared_memory if shared_memory.is_dir() else Path("/tmp")) / "jupyter-runai-ledger"  # noqa: S108


def shared_directory() -> Path:
    """Where the clients of all users find the shared engine of this host, if there is one; gone at a reboot."""
    return Path(os.environ.get(SHARED_DIRECTORY_VARIABLE) or "/run/jupyter-runai")


def is_roots_alone(path: Path) -> bool:
    """Whether nobody but root can change what lies here, or put something else in its place."""
    try:
        target = path.resolve(strict=True)
        ways = {*path.parents, *target.parents}
        return _is_roots(path) and _is_roots(target) and all(_is_roots(way, is_way=True) for way in ways)
    except OSError:
        return False


def _is_roots(path: Path, is_way: bool = False) -> bool:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return status.st_uid == 0
    # In a sticky folder, such as /tmp, others cannot rename what is root's.
    is_sticky = bool(status.st_mode & stat.S_ISVTX)
    return status.st_uid == 0 and (not status.st_mode & 0o022 or (is_way and is_sticky))


def private_directory(path: Path) -> Path:
    """Make `path` with mode 0700, and refuse one that others could have planted or could read.

    Raises:
        EngineUnavailable: the folder cannot be made, belongs to somebody else, or is open to others.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise EngineUnavailable(
            f"The engine's folder {path} cannot be made: {error.strerror}.",
            f"Set {ENGINE_DIRECTORY_VARIABLE} to a folder you can write.",
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise EngineUnavailable(
            f"The engine's folder {path} is not a folder of yours.",
            f"Remove it, or set {ENGINE_DIRECTORY_VARIABLE} to another folder.",
        )
    if status.st_mode & 0o077:
        if any(path.iterdir()):
            raise EngineUnavailable(
                f"The engine's folder {path} is open to others and not empty.",
                f"Close it (chmod 700), or set {ENGINE_DIRECTORY_VARIABLE} to another folder.",
            )
        path.chmod(0o700)
    return path


def _on_network_filesystem(path: Path) -> bool:
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return False
    while not path.exists():
        path = path.parent
    target = os.fsencode(path.resolve())
    found, kind = b"", ""
    for line in mounts.read_bytes().splitlines():
        fields = line.split(b" ")
        point = fields[1].replace(b"\\040", b" ")
        inside = point in (b"/", target) or target.startswith(point + b"/")
        if inside and len(point) >= len(found):
            found, kind = point, fields[2].decode()
    return kind in _NETWORK_FILESYSTEMS
