"""Workloads from their submission to their end: every one in memory, planned, started, followed, cleared away."""
