"""One Python API for kernels, the Jupyter server and the command line."""

from jupyter_runai.client.aio import AsyncClient
from jupyter_runai.client.outlook import never_starts
from jupyter_runai.client.sync import Client, shared_client

__all__ = ["AsyncClient", "Client", "never_starts", "shared_client"]
