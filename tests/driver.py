"""The devices that the fake driver library shows."""

from __future__ import annotations

from pathlib import Path

GIB = 1024
TWO_A100 = """\
device GPU-aaaa 81920 37 ok NVIDIA A100-SXM4-80GB
device GPU-bbbb 81920 0 ok NVIDIA A100-SXM4-80GB
"""


class Driver:
    """The fake driver's state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write(TWO_A100)

    def write(self, text: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.path)

    def process(self, device: int, pid: int, mib: int, through_mps: bool = False) -> None:
        self.write(self.path.read_text() + f"process {device} {pid} {mib}{' mps' if through_mps else ''}\n")

    def busy(self, device: int, pid: int, percent: int) -> None:
        self.write(self.path.read_text() + f"busy {device} {pid} {percent}\n")
