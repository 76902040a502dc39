"""What runs in a workload's process. Nothing but the standard library is imported until it must."""
