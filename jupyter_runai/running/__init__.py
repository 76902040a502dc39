"""What a cell needs in its workload's process. Nothing but the standard library is imported until it must."""
