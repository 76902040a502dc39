"""Live views of workloads, projects and devices in a notebook, and forms to submit and scale."""

from jupyter_runai.widgets.devices import Devices
from jupyter_runai.widgets.queues import Queues
from jupyter_runai.widgets.scale_out import ScaleOut
from jupyter_runai.widgets.submit import Submit
from jupyter_runai.widgets.workload import Workload

__all__ = ["Devices", "Queues", "ScaleOut", "Submit", "Workload"]
