"""What outlives the daemon: the store and its logs."""
