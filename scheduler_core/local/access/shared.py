"""A shared engine, one for all users of this host: its configuration file, and the folders it needs.

directory = "/var/lib/jupyter-runai"        # left out: this one
simulate = "2xA100-80GB"                    # left out: the machine's own devices
projects = "/etc/jupyter-runai/projects.toml"
policies = "/etc/jupyter-runai/policies.yaml"
administrators = ["ana"]                    # beside root
group = "gpu"                               # who may use it; left out: everybody
audit_kept_days = 1096                      # how long it is known who did what; left out: so many days

[watchdog]
allowance_mib = 1024

[prices]                                    # left out: reports show no cost
currency = "EUR"
per_gpu_hour = { "A100-SXM4-80GB" = 2.5 }
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from scheduler_core.accounting.prices import Prices
from scheduler_core.caps import HOOKS
from scheduler_core.errors import EngineUnavailable, InvalidRequest, NotAllowed
from scheduler_core.local.access.callers import Users
from scheduler_core.local.access.projects import Projects
from scheduler_core.local.access.settings import KeptDays, WatchdogSettings
from scheduler_core.local.machine.devices import parse_simulated
from scheduler_core.local.machine.paths import SHARED_DIRECTORY_VARIABLE, is_roots_alone, shared_directory
from scheduler_core.local.machine.survival import user_name
from scheduler_core.written import WrittenToml

_EVERYBODY_PASSES = 0o755


class BadConfiguration(InvalidRequest):
    """The file says something that cannot be; the message names the line."""


class SharedSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator wrote of a shared engine.

    `directory` is where all of it lies but the socket, `projects` a file of projects and their quotas, `policies` one
    of policies; `administrators` may decide on everybody's work; of `group` (null: any) are those who may use the
    engine; `prices` are for reports.
    """

    directory: str = "/var/lib/jupyter-runai"
    simulate: str | None = None
    projects: str | None = None
    policies: str | None = None
    administrators: tuple[str, ...] = ()
    group: str | None = None
    watchdog: WatchdogSettings = WatchdogSettings()
    audit_kept_days: KeptDays = 1096
    prices: Prices | None = None

    def callers(self, projects: Callable[[], Projects]) -> Users:
        return Users(self.administrators, self.group, projects)

    def make_folders(self) -> tuple[Path, Path]:
        """Make and open the engine's folder and that of its socket, as far as others need to pass.

        Raises:
            EngineUnavailable: one cannot be made, or others could put something in its place.
        """
        os.umask(0o022)
        return _roots_folder(Path(self.directory), "directory"), _roots_folder(
            shared_directory(), SHARED_DIRECTORY_VARIABLE
        )


def read_shared(path: Path) -> SharedSettings:
    """The configuration of a shared engine.

    Raises:
        NotAllowed: this process is not root's.
        BadConfiguration: with the line and why.
    """
    if os.geteuid() != 0:
        raise NotAllowed(
            f"A shared engine runs each workload as its owner, which takes root; this is {user_name()}.",
            "Start it as root, such as by its systemd unit. An engine of your own needs none: leave --shared out.",
        )
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{path} cannot be read: {error}.") from None
    if not is_roots_alone(path):
        raise BadConfiguration(f"{path} could be changed by others than root.", f"chown root {path}; chmod 644 {path}")
    return parse_shared(text, str(path))


def parse_shared(text: str, name: str) -> SharedSettings:
    """The configuration with this text; `name` stands in messages.

    Raises:
        BadConfiguration: with the line and why.
    """
    written = WrittenToml(text, name, BadConfiguration)
    settings = written.fields([], written.content, SharedSettings)
    for key in ("directory", "projects", "policies"):
        value = getattr(settings, key)
        if value is not None and not Path(value).is_absolute():
            raise written.bad([key], f"{key}: an absolute path, not {value!r}")
    for key in ("projects", "policies"):
        if getattr(settings, key) is not None and not Path(getattr(settings, key)).exists():
            raise written.bad([key], f"there is no file {getattr(settings, key)}")
    if settings.simulate is not None:
        try:
            parse_simulated(settings.simulate)
        except InvalidRequest as error:
            raise written.bad(["simulate"], f"simulate: {error.message.rstrip('.')}") from None
    for user in settings.administrators:
        if not _is_user(user):
            raise written.bad(["administrators"], f"there is no user {user!r}")
    if settings.group is not None and not _is_group(settings.group):
        raise written.bad(["group"], f"there is no group {settings.group!r}")
    return settings


def open_to_all(ways: Iterable[Path], staging: Path) -> None:
    """Let everybody pass through these folders of the engine, and put what they submit into `staging`, unlisted."""
    for way in ways:
        way.chmod(0o711)
    staging.chmod(0o1733)


def closed_to_users() -> str:
    """The sentence for people where users cannot read what caps the frameworks in their workloads; else empty."""
    closed = [str(way) for way in HOOKS.parents if not way.stat().st_mode & 0o001]
    if not closed:
        return ""
    return f"Users cannot enter {closed[-1]}, so that nothing caps their frameworks: install jupyter-runai elsewhere."


def _roots_folder(path: Path, setting: str) -> Path:
    try:
        path.mkdir(mode=_EVERYBODY_PASSES, parents=True, exist_ok=True)
    except OSError as error:
        raise EngineUnavailable(
            f"The shared engine's folder {path} cannot be made: {error.strerror}.", f"Name another: {setting}."
        ) from error
    if not is_roots_alone(path):
        raise EngineUnavailable(
            f"Others than root could put something in the place of {path}.", f"Name another folder: {setting}."
        )
    if path.stat().st_mode & _EVERYBODY_PASSES != _EVERYBODY_PASSES:
        raise EngineUnavailable(f"Users cannot pass through {path}.", f"chmod 755 {path}")
    return path


def _is_user(name: str) -> bool:
    with suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return name.isdecimal()


def _is_group(name: str) -> bool:
    with suppress(KeyError):
        return bool(grp.getgrnam(name))
    return False
