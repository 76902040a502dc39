"""Who used what: exact sums of what workloads held, from a log of their holdings. Pure; units are milliseconds."""
