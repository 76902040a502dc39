"""A real node for tests, on which real pods run: its kubelet and all its pods live in namespaces of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from kubernetes import client

from tests.cluster import node
from tests.cluster.binaries import NODE, binaries, cache
from tests.cluster.control_plane import ControlPlane, is_ready, wait_until
from tests.cluster.image import PYTHON_IMAGE, make_image

NAME = "real-0"
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
_NAMESPACES = (
    *("unshare", "--fork", "--pid", "--mount", "--net", "--uts", "--mount-proc", "--kill-child"),
    *("--propagation", "slave"),
)
_PROBE = """
ip link add probe0 type bridge
ip link add probe1 type veth peer name probe2
mkdir lower upper work seen
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work seen
"""
"""What a node does first of all, where it leaves no trace."""
_SYSTEM = ("containerd", "runc", "ctr", "iptables", "ip", "unshare")
_CONTAINERD = """version = 2
root = "{folder}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""
_COREFILE = """cluster.local {{
    bind {address}
    kubernetes {{
        kubeconfig {kubeconfig}
        ttl 1
    }}
}}
. {{
    bind {address}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
_RELAY = """
import asyncio, sys

async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()

async def join(reader, writer):
    there = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    await asyncio.gather(copy(reader, there[1]), copy(there[0], writer), return_exceptions=True)

async def main():
    await (await asyncio.start_server(join, "0.0.0.0", int(sys.argv[2]))).serve_forever()

asyncio.run(main())
"""


def obstacle() -> str:
    """Why no real node can run here; empty where one can."""
    if os.geteuid():
        return "a real node needs root"
    missing = [name for name in _SYSTEM if shutil.which(name) is None]
    missing += [] if Path("/usr/lib/cni/bridge").exists() else ["CNI plugins"]
    needs = "apt-get install containerd runc containernetworking-plugins iptables iproute2"
    return f"a real node needs {', '.join(missing)}: {needs}" if missing else _withheld()


def _withheld() -> str:
    """What of the kernel is kept from us here, as in many a sandbox; empty where nothing is."""
    locked = next((root for root in _cgroup_roots() if not os.access(root, os.W_OK)), None)
    if locked is not None:
        return f"a real node needs cgroups, and {locked} cannot be written to"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*_NAMESPACES, "sh", "-ec", _PROBE], cwd=folder, capture_output=True, text=True, check=False
        )
    return f"a real node needs a network and mounts of its own: {done.stderr.strip()}" if done.returncode else ""


class RealCluster(ControlPlane):
    """A control plane with one real node of so many devices, which are but counted."""

    def __init__(self, folder: Path, devices: int) -> None:
        super().__init__(folder)
        self._devices = devices
        self._net = _free_net()
        self._link = f"rt{self._net.rpartition('.')[2]}"
        self._cgroup = f"runai-test-{self._net.rpartition('.')[2]}"
        self._made: list[str] = []
        self._holder: subprocess.Popen[bytes] | None = None
        self.address = f"{self._net}.0.1"

    def start(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._start_namespaces()
        self.start_control_plane()
        self._configure()
        (self.folder / "go").touch()
        wait_until("the node has started", (self.folder / "node" / node.ANNOUNCED).exists, self._check_node)
        core = client.CoreV1Api(self.api())
        wait_until("the node is ready", lambda: any(map(is_ready, core.list_node().items)), self._check_node)
        room = {"nvidia.com/gpu": str(self._devices)}
        core.patch_node_status(NAME, {"status": {"capacity": room, "allocatable": room}})

    def serve_values(self, port: int) -> None:
        """Let the Service of large values lead to a controller on this host, by way of a pod: it leads to no other."""
        command = ["python3", "-c", _RELAY, self.address, str(port)]
        pod = {
            "nodeName": NAME,
            "containers": [{"name": "relay", "image": PYTHON_IMAGE, "command": command}],
            "terminationGracePeriodSeconds": 0,
        }
        labels = {"app.kubernetes.io/name": "jupyter-runai-controller"}
        core = client.CoreV1Api(self.api())
        made = {"metadata": {"name": "relay", "labels": labels}, "spec": pod}
        core.create_namespaced_pod("jupyter-runai", made)
        name = "jupyter-runai-blobs"
        wait_until(
            "the controller is found",
            lambda: any(
                one.subsets
                for one in core.list_namespaced_endpoints("jupyter-runai").items
                if one.metadata.name == name
            ),
            self._check_node,
        )

    def stop(self) -> None:
        super().stop()
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip(f"link del {self._link}")
        for root in _cgroup_roots():
            _until_removed(root / self._cgroup)
        for path in self._made:
            with contextlib.suppress(OSError):
                Path(path).rmdir()

    def _check_node(self) -> None:
        said = (self.folder / "node.log").read_text()
        assert self._holder is not None and self._holder.poll() is None, f"the node has ended: {said[-1000:]}"

    def _start_namespaces(self) -> None:
        """An empty network with a link to it: the API server is to be found at its end here."""
        self._made = [path for path in node.PLACES if not Path(path).is_dir()]
        for path in self._made:
            Path(path).mkdir(parents=True)
        for root in _cgroup_roots():
            (root / self._cgroup).mkdir(exist_ok=True)
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (root / file).exists():
                    (root / self._cgroup / file).write_text((root / file).read_text())
        (self.folder / "node").mkdir()
        waits = 'while ! test -e "$0/go"; do sleep 0.05; done; exec "$1" -m tests.cluster.node "$0/node"'
        with (self.folder / "node.log").open("ab") as log:
            self._holder = subprocess.Popen(
                [*_DIES_WITH_US, *_NAMESPACES, "sh", "-c", waits, str(self.folder), sys.executable],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
            )
        home, its = Path("/proc/self/ns/net").readlink(), Path(f"/proc/{self._holder.pid}/ns/net")
        wait_until("the node has a network", lambda: its.readlink() != home, self._check_node)
        _ip(f"link add {self._link} type veth peer name eth0 netns {self._holder.pid}")
        _ip(f"address add {self.address}/30 dev {self._link}")
        _ip(f"link set {self._link} up")
        _ip(f"route add {self._net}.4.0/22 via {self._net}.0.2")

    def _configure(self) -> None:
        folder, own = self.folder / "node", f"{self._net}.0.2"
        programs = binaries(NODE)
        (folder / "containerd.toml").write_text(_CONTAINERD.format(folder=folder, image=PYTHON_IMAGE))
        (folder / "Corefile").write_text(_COREFILE.format(address=own, kubeconfig=self.kubeconfig))
        (folder / "resolv.conf").write_text("")
        (folder / "cni").mkdir()
        addresses = {"type": "host-local", "ranges": [[{"subnet": f"{self._net}.4.0/22"}]]}
        addresses["routes"] = [{"dst": "0.0.0.0/0"}]
        bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
        plugins = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}
        (folder / "cni" / "10-bridge.conflist").write_text(json.dumps(plugins))
        (folder / "kubelet.json").write_text(json.dumps(self._kubelet(folder, own)))
        kubelet = [str(programs["kubelet"]), "--config", "kubelet.json", "--hostname-override", NAME]
        services = {
            "containerd": ["containerd", "--config", str(folder / "containerd.toml")],
            "kubelet": [*kubelet, "--kubeconfig", str(self.kubeconfig), "--node-ip", own, "--node-labels", _LABELS],
            "coredns": [str(programs["coredns"]), "-conf", str(folder / "Corefile")],
        }
        image = make_image(cache() / "images")
        settings = node.Settings(name=NAME, address=own, services=services, image=str(image))
        (folder / "node.json").write_text(json.dumps(node.msgspec.to_builtins(settings)))

    def _kubelet(self, folder: Path, own: str) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": own,
            # Nobody but this machine reaches it.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDomain": "cluster.local",
            "clusterDNS": [own],
            "resolvConf": str(folder / "resolv.conf"),
            "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "maxPods": 200,
            "volumePluginDir": "/var/lib/kubelet/volumeplugins",
            "kubeAPIQPS": 100,
            "kubeAPIBurst": 200,
        }


_LABELS = "nvidia.com/gpu.present=true,nvidia.com/gpu.product=NVIDIA-A100-SXM4-80GB,nvidia.com/gpu.memory=81920"


def _free_net() -> str:
    routes, links = (
        subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=True).stdout
        for words in ("-4 route show table all", "link show")
    )
    return next(
        f"10.{number}" for number in range(199, 255) if f"10.{number}." not in routes and f"rt{number}" not in links
    )


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


def _cgroup_roots() -> Iterator[Path]:
    top = Path("/sys/fs/cgroup")
    if (top / "cgroup.controllers").exists():
        yield top
        return
    yield from (path for path in top.iterdir() if (path / "cgroup.procs").exists() and not path.is_symlink())


def _until_removed(path: Path) -> None:
    """A group goes when the last of its processes has, which takes a moment."""
    end = time.monotonic() + 20
    while path.exists() and time.monotonic() < end:
        for folder, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        time.sleep(0.05)
