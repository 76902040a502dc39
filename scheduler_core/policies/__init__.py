"""What projects say of the work in them: defaults, ranges and time limits of submissions and of work that runs."""
