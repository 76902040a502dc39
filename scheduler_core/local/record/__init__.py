"""What is kept of each workload, and what its tasks are on this machine."""
