"""Workloads of a cluster from what is wanted to what is left: Jobs, tasks, inputs, outputs."""
