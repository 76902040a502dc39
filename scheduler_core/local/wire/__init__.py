"""What daemon and clients agree on."""
