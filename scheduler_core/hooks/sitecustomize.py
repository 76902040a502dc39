"""Caps the device memory of PyTorch and TensorFlow at their import, in whatever Python the workload uses.

Python imports this module by itself when its folder comes first on PYTHONPATH; it then hands over to the
sitecustomize it stands before. It knows nothing of the engine but two variables.
"""

import importlib.abc
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120


def _cap_torch(torch):
    fraction = float(os.environ["RUNAI_CAP_FRACTION"])

    def cap():
        for device in range(torch.cuda.device_count()):
            torch.cuda.set_per_process_memory_fraction(fraction, device)

    # Queued until CUDA starts: starting it here would cost memory in programs that never use it, and break forks.
    torch.cuda._lazy_call(cap)


def _cap_tensorflow(tensorflow):
    limit = int(os.environ["RUNAI_CAP_MEMORY_MIB"])
    for device in tensorflow.config.list_physical_devices("GPU"):
        configuration = tensorflow.config.LogicalDeviceConfiguration(memory_limit=limit)
        tensorflow.config.set_logical_device_configuration(device, [configuration])


_CAPS = {"torch": _cap_torch, "tensorflow": _cap_tensorflow}


class _CapAfterImport(importlib.abc.MetaPathFinder):
    """Finds a framework as everyone else would, and caps it once it has loaded."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in _CAPS:
            return None
        cap = _CAPS.pop(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_then_cap(module):
            execute(module)
            try:
                cap(module)
            except Exception as error:
                print(f"runai: {fullname} could not be capped: {error}", file=sys.stderr)  # noqa: T201

        spec.loader.exec_module = execute_then_cap
        return spec


def _hand_over():
    """Python imports one sitecustomize alone: run the one that this folder hides."""
    for folder in sys.path:
        candidate = os.path.join(folder or ".", "sitecustomize.py")  # noqa: PTH118
        if os.path.isfile(candidate) and os.path.dirname(os.path.abspath(candidate)) != _HERE:  # noqa: PTH100, PTH113, PTH120
            spec = importlib.util.spec_from_file_location("sitecustomize", candidate)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return


if "RUNAI_CAP_FRACTION" in os.environ:
    sys.meta_path.insert(0, _CapAfterImport())
_hand_over()
