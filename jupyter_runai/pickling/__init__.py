"""What values and functions need to travel by value."""
