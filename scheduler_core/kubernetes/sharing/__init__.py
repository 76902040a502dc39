"""Devices shared by several pods of a cluster: who holds them, and whether that is possible there at all."""
