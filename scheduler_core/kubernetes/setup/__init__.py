"""What a cluster needs before anything runs there: put in place, looked at, taken away."""
