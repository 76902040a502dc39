"""Which restarts running workloads outlive here, read from how this daemon itself was started."""

from __future__ import annotations

import getpass
import os
from contextlib import suppress
from pathlib import Path

SCOPE_PREFIX = "jupyter-runai-"


def survived_restarts(shared: bool = False) -> tuple[str, ...]:
    """The events that running workloads outlive, in words for people; a shared engine is nobody's session."""
    if shared:
        return ("a restart of the engine", "a restart of Jupyter", "logging out")
    unit = _unit()
    systemd = Path("/run/systemd/system").is_dir()
    own_scope = unit.startswith(SCOPE_PREFIX)
    found = ["a restart of the engine"]
    if own_scope or not unit.endswith(".service"):
        found.append("a restart of Jupyter")
    if not systemd or (own_scope and Path(f"/var/lib/systemd/linger/{user_name()}").exists()):
        found.append("logging out")
    return tuple(found)


def user_name() -> str:
    """The user's name; the number where the system has no name for it, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _unit() -> str:
    with suppress(OSError):
        return Path("/proc/self/cgroup").read_text().strip().rpartition("/")[2]
    return ""
