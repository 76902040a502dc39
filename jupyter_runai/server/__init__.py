"""The Jupyter server extension: REST and one WebSocket for the browser, in front of the engine."""
