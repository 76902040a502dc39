"""This machine: its users, processes, devices and folders, and how a share of a device is held."""
