"""A real Kubernetes without machines: etcd, the API server, its controllers, and KWOK, which plays nodes and pods."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tests.cluster.binaries import CONTROL_PLANE, DEFAULT_SCHEDULER, binaries

_STAGES = Path(__file__).with_name("kwok.yaml")
_USERS = {
    "admin": "system:masters",
    "kwok": "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
}
"""Who has a token of their own, and their group."""
_ISSUER = "https://kubernetes.default.svc.cluster.local"
_STARTS_WITHIN_S = 60
_STOPS_WITHIN_S = 5
_FORGETS = ("--unsafe-no-fsync", "--log-level=warn")

_LOGS = {
    "metadata": {"name": "logs.kwok.x-k8s.io", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
    "spec": {
        "group": "kwok.x-k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "Logs", "listKind": "LogsList", "plural": "logs", "singular": "logs"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}
"""By these tests tell KWOK what pods have said."""


class ControlPlane:
    """One cluster in a folder of its own; nothing of it outlives `stop`, or this process.

    Its programs find `environment` in theirs.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder.resolve()
        self._environment = environment
        self.address = "127.0.0.1"
        self._programs = binaries(CONTROL_PLANE)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._tokens = {user: secrets.token_hex(16) for user in _USERS}
        self._port = free_port()

    @property
    def kubeconfig(self) -> Path:
        """The credentials of one who may do everything."""
        return self.folder / "admin.kubeconfig"

    def start(self) -> None:
        """Start all of it and wait until it answers."""
        self.start_control_plane()
        self._start_nodes()

    def start_control_plane(self) -> None:
        """All but who plays nodes and pods."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_secrets()
        self._start_etcd()
        self._start_api_server()
        self._start_controllers()

    def stop(self) -> None:
        """End every process, the last that was started first."""
        for name in reversed(list(self._processes)):
            self._end(name)

    def _end(self, name: str) -> None:
        process = self._processes.pop(name)
        process.terminate()
        try:
            # The API server waits long for connections that others keep open; nothing of it is kept.
            process.wait(1 if name == "kube-apiserver" else _STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pids(self) -> Mapping[str, int]:
        """The processes that run now, by the names of their programs."""
        return {name: process.pid for name, process in self._processes.items()}

    @contextmanager
    def default_scheduler(self) -> Iterator[None]:
        """Kubernetes' own scheduler is at work meanwhile, with no limit to its requests that it could reach."""
        self._programs |= binaries(DEFAULT_SCHEDULER)
        flags = ["--leader-elect=false", "--secure-port=0", "--kube-api-qps=5000", "--kube-api-burst=10000"]
        self._run("kube-scheduler", "--kubeconfig=kube-scheduler.kubeconfig", *flags)
        yield
        self._check()
        self._end("kube-scheduler")

    @contextmanager
    def without_api_server(self) -> Iterator[None]:
        """The API server is away meanwhile; what it kept stays."""
        self._end("kube-apiserver")
        yield
        self._start_api_server()

    def api(self) -> client.ApiClient:
        """A client that may do everything."""
        return config.new_client_from_config(str(self.kubeconfig))

    def add_nodes(self, count: int, devices: int) -> None:
        """Make ready nodes of so many devices each, played by KWOK."""
        core = client.CoreV1Api(self.api())
        for index in range(count):
            core.create_node(node(f"node-{index}", devices))
        wait_until("the nodes are ready", lambda: all(map(is_ready, core.list_node().items)))

    def add_namespace(self, name: str) -> None:
        """Make a namespace in which pods can be made."""
        core = client.CoreV1Api(self.api())
        core.create_namespace({"metadata": {"name": name}})
        wait_until(f"{name} has its account", lambda: _is_there(core, name))

    def user_of(self, namespace: str, role: str = "edit") -> Path:
        """The kubeconfig of somebody with this cluster role in this namespace, and no rights elsewhere."""
        api, name = self.api(), f"{namespace}-{role}"
        core, rules = client.CoreV1Api(api), client.RbacAuthorizationV1Api(api)
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        _unless_there(lambda: core.create_namespace({"metadata": {"name": namespace}}))
        core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        rules.create_namespaced_role_binding(namespace, binding)
        return self.account(namespace, name)

    def let_see_all(self, namespace: str, role: str = "edit") -> None:
        """Let that user see devices, positions and what would let work start."""
        rules = client.RbacAuthorizationV1Api(self.api())
        subject = {"kind": "ServiceAccount", "name": f"{namespace}-{role}", "namespace": namespace}
        reference = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "jupyter-runai-cluster-view",
        }
        binding = {"metadata": {"name": f"{namespace}-sees-all"}, "roleRef": reference, "subjects": [subject]}
        rules.create_cluster_role_binding(binding)

    def account(self, namespace: str, name: str) -> Path:
        """The kubeconfig of a service account."""
        asked = {"spec": {"audiences": [_ISSUER], "expirationSeconds": 86_400}}
        made = client.CoreV1Api(self.api()).create_namespaced_service_account_token(name, namespace, asked)
        return self._write_kubeconfig(self.folder / f"{name}.kubeconfig", name, made.status.token, namespace)

    def _make_secrets(self) -> None:
        # Not an elliptic curve: of such the API server takes no public key from a private one.
        signer = ["openssl", "genpkey", "-algorithm", "RSA", "-out", "accounts.key"]
        subprocess.run(signer, cwd=self.folder, check=True, capture_output=True)
        lines = [f'{token},{user},{user},"{_USERS[user]}"\n' for user, token in self._tokens.items()]
        self._write("tokens.csv", "".join(lines))

    def _start_etcd(self) -> None:
        """On sockets in this folder: no port is open, and no two clusters meet."""
        urls = {"client": ("listen-client", "advertise-client"), "peer": ("listen-peer", "initial-advertise-peer")}
        flags = [f"--{kind}-urls=unix://{name}:1" for name, kinds in urls.items() for kind in kinds]
        self._run("etcd", "--data-dir=etcd", "--name=one", "--initial-cluster=one=unix://peer:1", *flags, *_FORGETS)

    def _start_api_server(self) -> None:
        self._run(
            "kube-apiserver",
            "--etcd-servers=unix://client:1",
            f"--bind-address={self.address}",
            f"--secure-port={self._port}",
            "--cert-dir=certificates",
            "--token-auth-file=tokens.csv",
            "--anonymous-auth=false",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            # A loopback address is no valid endpoint of the service `kubernetes`.
            "--endpoint-reconciler-type=none",
            f"--service-account-issuer={_ISSUER}",
            "--service-account-key-file=accounts.key",
            "--service-account-signing-key-file=accounts.key",
            # Names of nodes are known to nobody.
            "--kubelet-preferred-address-types=InternalIP",
        )
        # It writes the key when the certificate is written.
        key = self.folder / "certificates" / "apiserver.key"
        wait_until("the API server has a certificate", key.exists, self._check)
        for user, token in self._tokens.items():
            name = user.removeprefix("system:")
            self._write_kubeconfig(self.folder / f"{name}.kubeconfig", user, token, "default")
        wait_until("the API server answers", lambda: _is_ready(self.api()), self._check)

    def _start_controllers(self) -> None:
        self._run(
            "kube-controller-manager",
            "--kubeconfig=kube-controller-manager.kubeconfig",
            "--use-service-account-credentials",
            "--service-account-private-key-file=accounts.key",
            "--root-ca-file=certificates/apiserver.crt",
            "--leader-elect=false",
            "--secure-port=0",
            # The usual 20 requests a second would hold back hundreds of pods.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )
        core = client.CoreV1Api(self.api())
        wait_until("namespaces have their account", lambda: _is_there(core, "default"))

    def _start_nodes(self) -> None:
        """KWOK plays all nodes, and answers for them where the API server asks for a pod's log."""
        extensions = client.ApiextensionsV1Api(self.api())
        made = extensions.create_custom_resource_definition(_LOGS).metadata.name
        wait_until("logs can be written", lambda: _is_served(extensions, made), self._check)
        port = free_port()
        self._run(
            "kwok",
            "--kubeconfig=kwok.kubeconfig",
            f"--config={_STAGES}",
            "--manage-all-nodes=true",
            "--enable-crds=Logs",
            f"--server-address=127.0.0.1:{port}",
            "--node-ip=127.0.0.1",
            f"--node-port={port}",
            "--tls-cert-file=certificates/apiserver.crt",
            "--tls-private-key-file=certificates/apiserver.key",
        )

    def _check(self) -> None:
        """Fail where a process has ended, with the last that it said."""
        for name, process in self._processes.items():
            said = (self.folder / f"{name}.log").read_text(errors="replace")
            assert process.poll() is None, f"{name} has ended: {said[-1000:]}"

    def _run(self, name: str, *flags: str) -> None:
        # Should this process be killed, so is the cluster.
        command = ["setpriv", "--pdeathsig", "KILL", self._programs[name], *flags]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **self._environment}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _write_kubeconfig(self, path: Path, user: str, token: str, namespace: str) -> Path:
        certificate = b64encode((self.folder / "certificates" / "apiserver.crt").read_bytes()).decode()
        cluster = {"server": f"https://{self.address}:{self._port}", "certificate-authority-data": certificate}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
        }
        return self._write(path.name, json.dumps(content))

    def _write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(content)
        return path

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until(what: str, reached: Callable[[], object], check: Callable[[], None] = lambda: None) -> None:
    """Ask until it is so; `check` fails where it cannot come any more.

    Raises:
        AssertionError: it has not come within a minute.
    """
    end = time.monotonic() + _STARTS_WITHIN_S
    while not reached():
        check()
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.05)


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_served(extensions: client.ApiextensionsV1Api, name: str) -> bool:
    status = extensions.read_custom_resource_definition(name).status
    return any(one.type == "Established" and one.status == "True" for one in status.conditions or ())


def _is_ready(api: client.ApiClient) -> bool:
    """Whether it answers for all that it knows: kinds that were defined come last."""
    asked = api.param_serialize("GET", "/readyz", auth_settings=["BearerToken"])
    try:
        return bool(api.call_api(*asked, _request_timeout=5).status == 200)
    except HTTPError:
        return False


def _is_there(core: client.CoreV1Api, namespace: str) -> bool:
    return any(account.metadata.name == "default" for account in core.list_namespaced_service_account(namespace).items)


def is_ready(node: client.V1Node) -> bool:
    """Whether a node takes pods."""
    conditions = node.status.conditions or []
    return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)


def _unless_there(make: Callable[[], object]) -> None:
    try:
        make()
    except ApiException as error:
        if error.status != 409:
            raise


def node(name: str, devices: int) -> dict[str, object]:
    room = {"cpu": "128", "memory": "1Ti", "pods": "250", "nvidia.com/gpu": str(devices)}
    labels = {
        "kubernetes.io/hostname": name,
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "nvidia.com/gpu.memory": "81920",
        "nvidia.com/gpu.count": str(devices),
    }
    return {"metadata": {"name": name, "labels": labels}, "status": {"capacity": room, "allocatable": room}}
