"""What a workload is made of before it is submitted."""
