"""The devices an engine gives out: those of this machine, or simulated ones."""

from __future__ import annotations

import re
from typing import Protocol

from scheduler_core.errors import InvalidRequest
from scheduler_core.nvml import SIMULATE_EXAMPLE, NvmlDevices, PhysicalDevice, Sample

_SIMULATED = re.compile(
    r"(?P<count>[1-9][0-9]?)x(?P<model>[A-Za-z][A-Za-z0-9_-]{0,39}?)-(?P<gigabytes>[1-9][0-9]{0,3})GB"
)
_MOST_SIMULATED = 64


class Devices(Protocol):
    """The devices an engine gives out: all real or all simulated."""

    simulated: str | None
    notice: str
    physical: tuple[PhysicalDevice, ...]

    def sample(self) -> dict[str, Sample]:
        """A reading of every device by its id; a device that is lost is not ready."""
        ...


def open_devices(simulate: str | None, engine_id: str) -> Devices:
    """Simulated devices where `simulate` says so, else those NVML finds."""
    return SimulatedDevices(simulate, engine_id) if simulate else NvmlDevices()


class SimulatedDevices:
    """Devices that exist in the books alone, for demonstrations, teaching and tests."""

    notice = ""

    def __init__(self, description: str, engine_id: str) -> None:
        self.simulated: str | None = description
        self.physical = tuple(
            PhysicalDevice(id=f"SIM-{engine_id}-{index}", index=index, model=model, memory_mib=memory_mib)
            for index, (model, memory_mib) in enumerate(parse_simulated(description))
        )

    def sample(self) -> dict[str, Sample]:
        return {device.id: Sample(ready=True) for device in self.physical}


def parse_simulated(description: str) -> list[tuple[str, int]]:
    """(model, MiB) of each device in a description such as `2xA100-80GB` or `1xH100-80GB,4xT4-16GB`.

    Raises:
        InvalidRequest: not of that form, or more than 64 devices.
    """
    found: list[tuple[str, int]] = []
    for part in description.split(","):
        match = _SIMULATED.fullmatch(part.strip())
        if match is None:
            raise InvalidRequest(
                f"Simulated devices are written like {SIMULATE_EXAMPLE} (number, model, memory), not {part[:40]!r}."
            )
        model = f"{match['model']} {match['gigabytes']}GB"
        found += [(model, int(match["gigabytes"]) * 1024)] * int(match["count"])
    if len(found) > _MOST_SIMULATED:
        raise InvalidRequest(f"At most {_MOST_SIMULATED} devices can be simulated, not {len(found)}.")
    return found
