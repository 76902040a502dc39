"""Kernelspecs that were changed by hand, and what is gone since they were installed: a sentence, nothing half-made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_runai.client import Client
from tests.kernels.jupyter import Jupyter


def change(folder: Path, **changes: Any) -> None:
    path = folder / "DATA" / "kernels" / "runai-half" / "kernel.json"
    spec = json.loads(path.read_text())
    spec["argv"] = changes.pop("argv", spec["argv"])
    spec["metadata"]["kernel_provisioner"]["config"] |= changes
    path.write_text(json.dumps(spec))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gpu": "1.5"}, "The kernelspec runai-half asks for what cannot be: gpu is a whole number of devices or"),
        ({"gpu_memory_mib": 1024}, "The kernelspec runai-half asks for what cannot be: a GPU request takes one form"),
        ({"gpu": 0.5}, "The 'gpu' trait of a RunaiProvisioner instance expected a unicode string"),
        ({"project": "nobody"}, "nobody"),
        ({"argv": ["/nowhere/python", "{connection_file}"]}, "The kernel cannot be started: No such file or directory"),
    ],
)
async def test_a_bad_kernelspec_is_refused(
    server: Jupyter, client: Client, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    change(tmp_path, **changes)
    refused = await server.open("runai-half")
    assert refused.code == 500
    assert sentence in json.loads(refused.body)["message"]
    assert all(workload.has_ended for workload in client.list())
    assert await server.kernels() == []
    assert not any(device.holders for device in client.devices())
