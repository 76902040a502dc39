"""The words and figures of the side panel, for everything that shows the same outside of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from jupyter_runai.words.figures import ordinal, share, state_word
from scheduler_core.model import MILLI, TaskRequest, Verdict, VerdictCode
from scheduler_core.workload import Device, Enforcement, Holder, QueueStatus, State, Strength, Workload

_NOISE = re.compile(
    r"\b(?:NVIDIA|GeForce|Tesla|Graphics Device|SXM\d?|PCIe|NVL|HBM\d\w?|GPU)\b", re.IGNORECASE | re.ASCII
)
"""Words of a driver's model name that tell nobody which device it is."""

_WAITING: Mapping[VerdictCode, str] = {
    "placed": "about to start",
    "waiting_release": "device being freed",
    "waiting_turn": "awaiting its turn",
    "over_limit": "over the limit",
    "non_preemptible_over_quota": "over quota",
    "over_fair_share": "over fair share",
    "no_node_fits": "not enough free",
    "fragmented": "fragmented",
    "gang_incomplete": "gang incomplete",
    "gang_does_not_fit": "gang too large",
    "topology_does_not_fit": "topology too tight",
    "victims_protected": "others are protected",
    "never_fits": "can never start",
    "queue_not_found": "queue not found",
    "gated": "held back",
    "search_gave_up": "search gave up",
}
_GLYPHS: Mapping[State, str] = {
    "creating": "◌",
    "pending": "◌",
    "initializing": "◔",
    "resuming": "◔",
    "completed": "✓",
    "failed": "✕",
    "stopped": "■",
    "deleting": "■",
    "suspending": "◍",
    "suspended": "◍",
}
_LEVELS: Mapping[str, str] = {
    "device": "the whole device",
    "framework": "caps in the framework",
    "mig": "MIG",
    "mps-v2": "MPS",
    "mps-v3": "MPS",
}
_STRENGTHS: Mapping[Strength, str] = {"hard": "hard", "soft": "soft", "none": "not limited"}


def short_model(model: str) -> str:
    """A device's model as people say it: "NVIDIA A100-SXM4-80GB" becomes "A100 80GB"."""
    short = _NOISE.sub(" ", re.sub(r"[-_]", " ", model))
    short = re.sub(r"(\d)\s+GB\b", r"\1GB", short, flags=re.IGNORECASE)
    return " ".join(short.split()) or model


def device_name(model: str, index: int, simulated: bool) -> str:
    """One device among others: simulated A100 80GB #1."""
    return f"{'simulated ' if simulated else ''}{short_model(model)} #{index}"


def aligned_share(milli: int) -> str:
    """A share with at least two decimals, so that figures below each other align."""
    return f"{milli / MILLI:.{2 if milli % 10 == 0 else 3}f}"


def devices_number(devices: float) -> str:
    """A number of devices, such as a quota, with at most three decimals."""
    return share(round(devices * MILLI))


def memory(mib: float) -> str:
    """MiB as people say it: 40 GB, below one of them 512 MB."""
    if mib < 1024:
        return f"{mib:.0f} MB"
    gigabytes = f"{mib / 1024:.{1 if mib < 10240 else 0}f}"
    return f"{gigabytes.removesuffix('.0')} GB"


def requested(request: TaskRequest) -> str:
    """What one task asks of the devices: 0.5, 2, 2×0.25, 20 GB; CPU for nothing."""
    if request.mig:
        return " + ".join(_times(count, profile) for profile, count in request.mig.items())
    if request.gpu_memory_mib:
        return _times(request.gpu_devices, memory(request.gpu_memory_mib))
    amount = request.whole_devices * MILLI + request.portion_milli
    return _times(request.gpu_devices, share(amount)) if amount else "CPU"


def requested_by_all(workload: Workload) -> str:
    """What all tasks of a workload ask for: 4 × 0.5 for four of them."""
    one = requested(workload.request)
    return f"{workload.tasks} × {one}" if workload.tasks > 1 else one


def state_glyph(state: State) -> str:
    """The state as a sign beside the word."""
    return _GLYPHS.get(state, "●")


def state_sentence(workload: Workload) -> str:
    """What became of a workload, for those who do not see it."""
    return f"{workload.name}: {state_word(workload)}"


def standing(verdict: Verdict | None) -> str:
    """Where a waiting workload stands and why, in a few words: 1st · not enough free."""
    if verdict is None:
        return "not looked at yet"
    words = _WAITING[verdict.code]
    return words if verdict.queue_position is None else f"{ordinal(verdict.queue_position)} · {words}"


def cause(code: str) -> str:
    """A verdict's code in the panel's words; one of a newer engine as it is."""
    return next((words for known, words in _WAITING.items() if known == code), code.replace("_", " "))


def place(workload: Workload) -> str:
    """What a live workload holds and how firmly: A100 80GB #1 · memory 40 GB hard, compute soft."""
    if workload.allocation is None or not workload.allocation.devices:
        return ""
    held = workload.allocation.devices
    devices = ", ".join(device_name(device.model, device.index, workload.simulated) for device in held)
    if not (workload.request.portion_milli or workload.request.gpu_memory_mib):
        return devices
    return f"{devices} · {enforcement(workload.allocation.enforcement, held[0].memory_mib)}"


def enforcement(force: Enforcement, memory_mib: int) -> str:
    """How a fraction is held."""
    if force.level == "none":
        return "limit not enforced"
    return f"memory {memory(memory_mib)} {_STRENGTHS[force.memory]}, compute {_STRENGTHS[force.compute]}"


def ending(workload: Workload) -> str:
    """How an ended workload ended, where its state alone does not say."""
    raised = workload.report.error if workload.report is not None else None
    if raised is not None:
        return f"{raised.type}: {raised.message}"
    if workload.started is None and workload.verdict is not None:
        return workload.verdict.message
    if workload.reason:
        return workload.reason
    if workload.state == "failed" and workload.exit_code is not None:
        return f"exit code {workload.exit_code}"
    return ""


def detail(workload: Workload) -> str:
    """What is said beside a workload's state; empty where there is nothing to add."""
    if workload.state in ("creating", "pending"):
        return standing(workload.verdict)
    return place(workload) if workload.ended is None else ending(workload)


def held_milli(device: Device) -> int:
    """Thousandths of a device that are held."""
    return sum(holder.portion_milli for holder in device.holders)


def holder_name(holder: Holder, user: str) -> str:
    """Who holds a share: mine by the workload's name, others' by their owner."""
    if holder.kind == "foreign":
        return f"{holder.name} (not ours)" if holder.name else "another process"
    return holder.name if holder.owner == user else holder.owner


def holder_sentence(holder: Holder) -> str:
    """The whole of a share: digits of ann: 0.5, 40 GB."""
    return f"{holder.name} of {holder.owner}: {share(holder.portion_milli)}, {memory(holder.memory_mib)}"


def device_sentence(device: Device, user: str, force: Enforcement | None) -> str:
    """Everything that a device's bar shows, for those who do not see it."""
    parts = [f"Device {device.index}, {short_model(device.model)}: {share(held_milli(device))} of 1 used"]
    parts += [f"{holder_name(holder, user)} {share(holder.portion_milli)}" for holder in device.holders]
    if device.utilization is not None:
        parts.append(f"utilization {percent(device.utilization)} %")
    if device.used_mib is not None:
        parts.append(f"memory {memory(device.used_mib)} of {memory(device.memory_mib)}")
    if force is not None:
        parts.append(_shares_held(force))
    if device.simulated:
        parts.append("simulated")
    return ", ".join(parts)


def _shares_held(force: Enforcement) -> str:
    """How the shares of a device are held."""
    if force.level == "none":
        return "shares not enforced"
    strengths = f"memory {_STRENGTHS[force.memory]}, compute {_STRENGTHS[force.compute]}"
    return f"shares held by {_LEVELS[force.level]} ({strengths})"


def queue_marks(queue: QueueStatus) -> str:
    """The bounds of a queue: quota 1 · fair share 2.3 · limit 4."""
    parts = [
        "no quota" if queue.quota is None else f"quota {devices_number(queue.quota)}",
        "" if queue.fair_share is None else f"fair share {devices_number(queue.fair_share)}",
        "no limit" if queue.limit is None else f"limit {devices_number(queue.limit)}",
    ]
    return " · ".join(part for part in parts if part)


def percent(ratio: float) -> str:
    """0.41 as 41, halves upwards."""
    return str(int(ratio * 100 + 0.5))


def _times(count: int, what: str) -> str:
    return f"{count}×{what}" if count > 1 else what
