"""The daemon: its process, and how it answers."""
