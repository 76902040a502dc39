"""`python -m scheduler_core.kubernetes.sharing.device_reader`: say as lines which devices are seen here, and how used.

It runs in pods that hold a device, and has no credentials: whoever may read the pod's log reads what it says.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from scheduler_core.nvml import NvmlDevices, Sample

EVERY_S = 10.0


class Reading(Struct, frozen=True, kw_only=True):
    """One device at one time; null where nothing measures. Without a device `id` is empty and `notice` says why."""

    at: float
    id: str = ""
    model: str = ""
    memory_mib: int = 0
    ready: bool = False
    used_mib: int | None = None
    utilization: float | None = None
    notice: str = ""


read_reading = msgspec.json.Decoder(Reading).decode
"""A reading from its line. Raises msgspec.MsgspecError where it is none."""


def main(words: list[str] | None = None) -> int:
    """Say it every ten seconds until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="say it once and end")
    options = parser.parse_args(words)
    ended = threading.Event()
    # As the first process of its container it would otherwise not be ended by this.
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    devices = NvmlDevices()
    while True:
        for reading in _readings(devices):
            sys.stdout.buffer.write(msgspec.json.encode(reading) + b"\n")
        sys.stdout.buffer.flush()
        if options.once or ended.wait(EVERY_S):
            return 0


def _readings(devices: NvmlDevices) -> Iterator[Reading]:
    now = time.time()
    if not devices.physical:
        yield Reading(at=now, notice=devices.notice)
    samples = devices.sample()
    for device in devices.physical:
        sample: Sample = samples[device.id]
        yield Reading(
            at=now,
            id=device.id,
            model=device.model,
            memory_mib=device.memory_mib,
            ready=sample.ready,
            used_mib=sample.used_mib,
            utilization=sample.utilization,
        )


if __name__ == "__main__":
    sys.exit(main())
