"""How clients find the daemon, start it and ask it."""
