"""`python -m tests.cluster [--real] [--nodes N] [--devices D]`: a cluster to try things on, until it is interrupted."""

from __future__ import annotations

import argparse
import signal
import tempfile
from pathlib import Path

from tests.cluster.binaries import CONTROL_PLANE, NODE, binaries
from tests.cluster.control_plane import ControlPlane
from tests.cluster.real_cluster import RealCluster


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=2, metavar="N", help="fake nodes (default: %(default)s)")
    parser.add_argument("--devices", type=int, default=8, metavar="D", help="devices of each (default: %(default)s)")
    parser.add_argument("--real", action="store_true", help="one node on which pods really run, no fake ones")
    parser.add_argument("--build", action="store_true", help="only build what is missing")
    options = parser.parse_args()
    if options.build:
        print("\n".join(f"{name}: {path}" for name, path in binaries((*CONTROL_PLANE, *NODE)).items()))
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="runai-cluster-"))
    cluster = RealCluster(folder, options.devices) if options.real else ControlPlane(folder)
    try:
        cluster.start()
        if not options.real:
            cluster.add_nodes(options.nodes, options.devices)
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        cluster.remove()


if __name__ == "__main__":
    main()
