"""Kernels as workloads: a kernel under a lease holds its devices across restarts, and gives them back at its end."""
