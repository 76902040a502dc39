"""The first process of the namespaces that are a node: containerd, kubelet and a name server run in them, and all pods.

With it all of them go, with their mounts and their network, in whatever state they are.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

ANNOUNCED = "ready"
KERNEL = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
"""What kubelet wants of the kernel: here it reads that it is so, and changes nothing for the whole machine."""
PLACES = ("/run/containerd", "/run/netns", "/var/lib/cni", "/var/log/containers", "/var/lib/kubelet", "/var/log/pods")
"""Fixed paths of kubelet and containerd: the node has its own."""


class Settings(msgspec.Struct):
    """Who the node is and what runs on it, in the order in which it is started."""

    name: str
    address: str
    services: dict[str, list[str]]
    image: str


def main(folder: Path) -> None:
    settings = msgspec.json.decode((folder / "node.json").read_bytes(), type=Settings)
    _run("mount", "--make-rshared", "/")
    for number, path in enumerate(PLACES):
        place = folder / f"place-{number}"
        place.mkdir()
        _run("mount", "--bind", str(place), path)
    for key, value in KERNEL.items():
        cover = folder / key.replace("/", ".")
        cover.write_text(f"{value}\n")
        _run("mount", "--bind", str(cover), f"/proc/sys/{key}")
    socket.sethostname(settings.name)
    _until(lambda: "eth0" in (name for _, name in socket.if_nameindex()))
    for words in ("link set lo up", f"address add {settings.address}/30 dev eth0", "link set eth0 up"):
        _run("ip", *words.split())
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _start(folder, "containerd", settings)
    _until((folder / "containerd.sock").exists)
    _run(
        "ctr", "--address", str(folder / "containerd.sock"), "--namespace", "k8s.io", "images", "import", settings.image
    )
    for name in settings.services:
        if name != "containerd":
            _start(folder, name, settings)
    (folder / ANNOUNCED).touch()
    while True:
        os.wait()


def _start(folder: Path, name: str, settings: Settings) -> None:
    with (folder / f"{name}.log").open("ab") as log:
        subprocess.Popen(settings.services[name], cwd=folder, stdout=log, stderr=log)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not reached():
        if time.monotonic() > end:
            raise SystemExit("The node does not start.")
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
