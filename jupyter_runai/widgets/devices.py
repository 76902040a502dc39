"""Every device, with its fractions to scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from jupyter_runai.widgets import strings
from jupyter_runai.widgets.drawing import bar, indented
from jupyter_runai.widgets.live import LiveWidget, Note, static
from jupyter_runai.words import panel as words
from jupyter_runai.words.figures import share
from scheduler_core.model import MILLI
from scheduler_core.workload import Device, Enforcement, EngineInfo, Holder, Workload

Ownership: TypeAlias = Literal["mine", "other", "foreign"]


class Share(Struct, frozen=True, kw_only=True):
    """A holder's part of a device: `percent` of its width, `held` how firmly, where that is known."""

    ownership: Ownership
    name: str
    number: str
    percent: float
    title: str
    held: str


class DeviceRow(Struct, frozen=True, kw_only=True):
    """One device; `sentence` says all that its bar shows."""

    index: str
    model: str
    full_model: str
    badges: tuple[str, ...]
    used: str
    utilization: str
    sentence: str
    is_simulated: bool
    shares: tuple[Share, ...]

    def text(self) -> str:
        ratio = sum(part.percent for part in self.shares) / 100
        head = "  ".join(filter(None, [f"{self.index} {self.model}", bar(ratio), self.used, self.utilization]))
        holders = [" · ".join(filter(None, [f"{part.name} {part.number}", part.held])) for part in self.shares]
        return "\n".join(filter(None, ["  ".join([head, *self.badges]), indented(holders, 6)]))


class DevicesView(Struct, frozen=True, kw_only=True):
    """All devices of an engine; `hint` says what simulated ones are."""

    title: str
    summary: str
    notice: str
    hint: str
    devices: tuple[DeviceRow, ...]
    note: Note

    def text(self) -> str:
        rows = indented([line for device in self.devices for line in device.text().splitlines()])
        head = f"{self.title}: {self.summary}" if self.summary else self.title
        return "\n".join(filter(None, [head, self.notice, rows, self.hint, self.note.text]))


class Devices(LiveWidget):
    """The devices of this machine, who holds which share of them, and how firmly."""

    _esm = static("elements.js", "devices.js")

    def _view(self) -> DevicesView:
        watch = self._watch
        return devices_view(watch.info, watch.devices, watch.workloads, self._note())


def devices_view(
    info: EngineInfo | None, devices: tuple[Device, ...], workloads: Mapping[str, Workload], note: Note
) -> DevicesView:
    """What the widget shows; nothing but the note while the engine is not known."""
    held = sum(words.held_milli(device) for device in devices)
    notice = info.notice if info is not None else ""
    if info is not None and not devices:
        notice = notice or strings.NO_DEVICES
    return DevicesView(
        title=strings.DEVICES,
        summary=strings.USED_OF.format(share(held), len(devices)) if devices else "",
        notice=notice,
        hint=strings.NOTHING_COMPUTES if info is not None and info.simulated is not None and devices else "",
        devices=tuple(_row(device, "" if info is None else info.user, workloads) for device in devices),
        note=note,
    )


def _row(device: Device, user: str, workloads: Mapping[str, Workload]) -> DeviceRow:
    badges = {strings.SIMULATED: device.simulated, strings.NOT_READY: not device.ready}
    return DeviceRow(
        index=str(device.index),
        model=words.short_model(device.model),
        full_model=device.model,
        badges=tuple(badge for badge, applies in badges.items() if applies),
        used=words.aligned_share(words.held_milli(device)),
        utilization="" if device.utilization is None else f"{words.percent(device.utilization)} %",
        sentence=words.device_sentence(device, user, _enforcement(device, workloads)),
        is_simulated=device.simulated,
        shares=tuple(_share(holder, user, workloads) for holder in device.holders),
    )


def _share(holder: Holder, user: str, workloads: Mapping[str, Workload]) -> Share:
    return Share(
        ownership=_ownership(holder, user),
        name=words.holder_name(holder, user),
        number=share(holder.portion_milli),
        percent=100 * holder.portion_milli / MILLI,
        title=words.holder_sentence(holder),
        held=_held(holder, workloads),
    )


def _ownership(holder: Holder, user: str) -> Ownership:
    if holder.kind == "foreign":
        return "foreign"
    return "mine" if holder.owner == user else "other"


def _enforcement(device: Device, workloads: Mapping[str, Workload]) -> Enforcement | None:
    """How the shares of a device are held; null where it is held as a whole, or not at all."""
    known = [workloads.get(holder.workload or "") for holder in device.holders]
    shares = [workload for workload in known if workload is not None and not workload.request.whole_devices]
    held = shares[0].allocation if shares else None
    return None if held is None else held.enforcement


def _held(holder: Holder, workloads: Mapping[str, Workload]) -> str:
    """How a fraction is held; nothing for a whole device, or where another engine knows."""
    workload = workloads.get(holder.workload or "")
    if workload is None or workload.allocation is None or holder.portion_milli >= MILLI:
        return ""
    return words.enforcement(workload.allocation.enforcement, holder.memory_mib)
