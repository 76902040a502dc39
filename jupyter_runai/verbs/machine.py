"""What the verbs about devices, projects and the engine itself answer."""

from __future__ import annotations

import os
from argparse import Namespace

from jupyter_runai.client import Client
from jupyter_runai.client.chosen import ENGINE_VARIABLE, choose_engine, engine_name, engine_of
from jupyter_runai.verbs.answer import Answer
from jupyter_runai.verbs.use import in_use, use_table
from jupyter_runai.words.figures import share
from jupyter_runai.words.roles import roles_text
from jupyter_runai.words.tables import Table
from scheduler_core.model import MILLI
from scheduler_core.workload import Device


def top(client: Client, options: Namespace) -> Answer:
    """What is used now."""
    everything = in_use(client)
    return Answer.of(everything, use_table(everything) if everything else "Nothing runs.")


def devices(client: Client, options: Namespace) -> Answer:
    """Every device with who holds it."""
    info, devices = client.info(), client.devices()
    nodes = {device.node for device in devices}
    rows = [_device_row(device, with_node=len(nodes) > 1) for device in devices]
    lines: list[str | Table] = [Table(("device", "held", "memory", "by"), tuple(rows))] if rows else []
    if info.simulated:
        lines.insert(0, f"Simulated devices ({info.simulated}).")
    if info.notice:
        lines.append(info.notice)
    lines.append(f"What runs survives {', '.join(info.survives)}.")
    return Answer.of(devices, *lines)


def queues(client: Client, options: Namespace) -> Answer:
    """Every project with what it has and may have."""
    queues = client.queues()
    departments = {queue.parent for queue in queues}
    counts_past = any(queue.past_use is not None for queue in queues)
    rows = [
        (
            f"{queue.name} (department)" if queue.name in departments else queue.name,
            _number(queue.allocated),
            _number(queue.requested),
            _number(queue.quota),
            _number(queue.fair_share),
            *(("-" if queue.past_use is None else f"{queue.past_use.part:.0%}",) if counts_past else ()),
        )
        for queue in queues
    ]
    header = ("project", "used", "asked", "quota", "fair share", *(("past use",) if counts_past else ()))
    return Answer.of(queues, Table(header, tuple(rows)))


def whoami(client: Client, options: Namespace) -> Answer:
    """As whom the engine sees its caller."""
    info = client.info()
    if info.kind == "kubernetes":
        return Answer(f"{info.user} on the cluster at {info.host}: version {info.version} asks it.", info)
    whose = "the engine of all users" if info.shared else "an engine of one's own"
    devices = f"simulated devices ({info.simulated})" if info.simulated else "this machine's devices"
    text = f"{info.user} on {info.host}: {whose}, with {devices}; {info.kind}, version {info.version}."
    return Answer("\n".join([text, *roles_text(info)]), info)


def configure(client: Client, options: Namespace) -> Answer:
    """Show or change a setting."""
    return (_config_engine if options.setting == "engine" else _config_simulate)(client, options)


def _config_engine(client: Client, options: Namespace) -> Answer:
    """What cannot be reached is not chosen."""
    if options.value is None:
        return Answer(f"engine: {engine_name()}", client.info())
    chosen = Client(engine_of(options.value))
    try:
        info = chosen.info()
    finally:
        chosen.close()
    choose_engine(options.value)
    said = f"From the next start of a kernel or of Jupyter on, {options.value} at {info.host} is asked, as {info.user}."
    overridden = os.environ.get(ENGINE_VARIABLE)
    note = f"But {ENGINE_VARIABLE}={overridden} is set here, and goes before it." if overridden else ""
    return Answer(f"{said} {note}".strip(), info)


def _config_simulate(client: Client, options: Namespace) -> Answer:
    before = client.info()
    if options.value is None:
        return Answer(f"simulate: {before.simulated or 'off'}", before)
    if options.if_no_gpu and not before.simulated and client.devices():
        return Answer("This machine has a GPU: nothing is simulated.", before)
    info = client.simulate(None if options.value == "off" else options.value)
    if info.simulated:
        text = f"This engine now has simulated devices: {info.simulated}. Nothing on them is real."
    else:
        text = f"This engine now has this machine's own devices. {info.notice}".strip()
    return Answer(text, info)


def _device_row(device: Device, with_node: bool) -> tuple[str, ...]:
    taken = sum(holder.portion_milli for holder in device.holders)
    holders = ", ".join(f"{holder.name} {share(holder.portion_milli)}" for holder in device.holders) or "-"
    kind = "simulated " if device.simulated else ""
    index = f"{device.node}/{device.index}" if with_node else str(device.index)
    name = f"{index} {kind}{device.model.removeprefix('NVIDIA ')}"
    memory = f"{device.memory_mib / 1024:.0f} GB" if device.used_mib is None else _used(device)
    return (name, f"{taken / MILLI:.2f}", memory, holders)


def _used(device: Device) -> str:
    return f"{(device.used_mib or 0) / 1024:.1f} of {device.memory_mib / 1024:.0f} GB"


def _number(value: float | None) -> str:
    return "unlimited" if value is None else f"{value:g}"
