"""How figures and workloads are put into words, the same in every text view."""

from __future__ import annotations

import time

from msgspec.structs import replace

from scheduler_core.model import MILLI, TaskRequest
from scheduler_core.workload import DEFAULT_GRACE_S, Allocation, HeldDevice, Resized, Workload

_KILO = 1000


def elapsed(seconds: float) -> str:
    """0:41, 12:05 or 1:02:09, from a day on 2d 03:04."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d {hours % 24:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count: int) -> str:
    """Bytes in the unit that fits: 1.2 MB."""
    number = float(count)
    for unit in ("B", "kB", "MB"):
        if number < _KILO:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _KILO
    return f"{number:.1f} GB"


def memory(mib: float) -> str:
    """Memory in the unit that fits: 512 MB, 19.5 GB."""
    return f"{mib:.0f} MB" if mib < 1000 else f"{mib / 1024:.1f} GB"


def moment(seconds: float) -> str:
    """A time since the epoch on the clock here: 2026-01-31 18:05:09."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def share(milli: int) -> str:
    """Thousandths of a device as a decimal: 0.5, 1, 0.125."""
    return f"{milli / MILLI:g}"


def asked(workload: Workload) -> str:
    """What a workload asks for: 0.5, 2, 20 GB, 0.25-1 with a limit of 1, 4 x 0.5 for four tasks, or - for none."""
    return asked_for(workload.request, workload.tasks)


def asked_for(request: TaskRequest, tasks: int) -> str:
    """What so many tasks ask for, each `request`."""
    if request.gpu_memory_mib:
        one = f"{request.gpu_memory_mib / 1024:g} GB"
        limit = f"{request.gpu_memory_limit_mib / 1024:g} GB" if request.gpu_memory_limit_mib else ""
    else:
        amount = request.whole_devices * MILLI + request.portion_milli
        one = share(amount) if amount else "-"
        limit = share(request.limit_milli) if request.limit_milli else ""
    one += f"-{limit}" if limit else ""
    return f"{tasks} x {one}" if tasks > 1 else one


def held_share(workload: Workload) -> str:
    """The devices that a workload holds, as a decimal; - for none."""
    devices = workload.allocation.devices if workload.allocation is not None else ()
    return share(sum(device.portion_milli for device in devices)) if devices else "-"


def held(allocation: Allocation, simulated: bool) -> str:
    """What an allocation is and how it is held: 0.5 of A100 80GB #1 (memory limit 40 GB: soft, compute: none)."""
    if not allocation.devices:
        return "CPU only"
    kind = "simulated " if simulated else ""
    parts = ", ".join(f"{share(device.portion_milli)} of {kind}{_device(device)}" for device in allocation.devices)
    if simulated:
        return parts
    force = allocation.enforcement
    limit = min(device.memory_mib for device in allocation.devices) / 1024
    return f"{parts} (memory limit {limit:.0f} GB: {force.memory}, compute: {force.compute})"


def state_word(workload: Workload) -> str:
    """The state as people say it: waiting for pending, stopping for what was told to, kept until 18:05 by --keep."""
    if workload.state in ("creating", "pending"):
        return "waiting"
    if workload.stop_requested is not None and not workload.has_ended:
        return "stopping"
    if workload.kept_until is not None:
        return f"kept until {time.strftime('%H:%M', time.localtime(workload.kept_until))}"
    return "starting" if workload.state == "initializing" else workload.state


def state_words(workload: Workload) -> str:
    """The state, and of several tasks how many are where: running (3 running, 1 waiting)."""
    states = workload.task_states
    if len(states) < 2:
        return state_word(workload)
    counts = ", ".join(f"{count} {'waiting' if state == 'pending' else state}" for state, count in states.items())
    return f"{state_word(workload)} ({counts})"


def idle_time(workload: Workload, now: float) -> str:
    """How long it has been idle: 12:05; empty where it is not, or nobody can tell."""
    since = None if workload.activity is None else workload.activity.idle_since
    return "" if since is None else elapsed(now - since)


def state_with_idleness(workload: Workload, now: float) -> str:
    """The state, and for how long it has been idle: running, idle 12:05."""
    idle = "" if workload.kept_until is not None else idle_time(workload, now)
    return f"{state_words(workload)}, idle {idle}" if idle else state_words(workload)


def duration(workload: Workload, now: float) -> float:
    """Seconds it has run, or waited when it has not started."""
    return (workload.ended or now) - (workload.started or workload.created)


def told_to_stop(workload: Workload) -> str:
    """What an answer to stop means."""
    if workload.has_ended:
        return f"{workload.name} is {workload.state}."
    return f"{workload.name} was told to stop and has {DEFAULT_GRACE_S:.0f} s to end by itself."


def told_to_suspend(workload: Workload) -> str:
    """What an answer to suspend means."""
    if workload.state == "suspended":
        return f"{workload.name} is suspended. It starts again with %runai resume {workload.name}."
    return f"{workload.name} was told to suspend and has {DEFAULT_GRACE_S:.0f} s to save what it needs."


def told_to_resume(workload: Workload) -> str:
    """What an answer to resume means."""
    if workload.state == "pending":
        return f"{workload.name} waits for its devices and then starts again."
    if workload.state == "suspending":
        return f"{workload.name} starts again once it has left its devices."
    return f"{workload.name} is {state_word(workload)}."


def resized(answer: Resized, request: TaskRequest) -> str:
    """What an answer to resize means; `request` is what was asked for."""
    workload = answer.workload
    if answer.applied == "now":
        word = "asks for" if workload.allocation is None else "has"
        return f"{workload.name} {word} {asked(workload)} now."
    return (
        f"{workload.name} asks for {asked(replace(workload, request=request))} from its next start on: {answer.reason}."
    )


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _device(device: HeldDevice) -> str:
    return f"{device.model.removeprefix('NVIDIA ')} #{device.index}"
