"""What this engine was told to be: its devices, real or simulated, and its identity."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from scheduler_core.accounting.prices import Prices
from scheduler_core.errors import EngineUnavailable

_FILE = "settings.json"
_IDENTITY_FILE = "engine-id"


KeptDays: TypeAlias = Annotated[int, Meta(ge=1, le=36_525)]


class WatchdogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a task with more device memory than its share is acted on.

    It may have `allowance_mib` beyond its share for what frameworks do not count, such as a context (518 MiB on an
    H100); after so many `readings` in a row, one a second, it is warned, so many seconds later interrupted, and so
    many after that stopped.
    """

    allowance_mib: Annotated[int, Meta(ge=0)] = 1024
    readings: Annotated[int, Meta(ge=1)] = 3
    interrupt_after_s: Annotated[float, Meta(ge=0)] = 30.0
    stop_after_s: Annotated[float, Meta(ge=0)] = 30.0


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`simulate` describes simulated devices such as `2xA100-80GB`; null takes the machine's own.

    The audit log has the last `audit_kept_days`. Of a task's output that has grown beyond `output_mib` the first half
    goes. `prices` are shown in reports.
    """

    simulate: str | None = None
    watchdog: WatchdogSettings = WatchdogSettings()
    audit_kept_days: KeptDays = 1096
    output_mib: Annotated[int, Meta(ge=4)] = 256
    prices: Prices | None = None

    @classmethod
    def read(cls, directory: Path) -> Settings:
        """The settings of this engine directory; the defaults where there are none yet."""
        path = directory / _FILE
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return cls()
        except (OSError, msgspec.MsgspecError) as error:
            raise EngineUnavailable(
                f"The engine's settings {path} cannot be read: {error}.", "Mend or remove it."
            ) from error

    def write(self, directory: Path) -> None:
        fresh = directory / f"{_FILE}.new"
        fresh.touch(mode=0o600)
        fresh.write_bytes(msgspec.json.encode(self))
        fresh.replace(directory / _FILE)

    def folder(self, directory: Path) -> Path:
        """Real and simulated work are kept apart: nothing simulated is ever counted as real."""
        return directory / ("real" if self.simulate is None else "simulated")

    @staticmethod
    def engine_id(directory: Path) -> str:
        """A name for this engine that stays, made at the first start."""
        path = directory / _IDENTITY_FILE
        if not path.exists() or not path.read_text().strip():
            fresh = directory / f"{_IDENTITY_FILE}.new"
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(4))
            fresh.replace(path)
        return path.read_text().strip()
