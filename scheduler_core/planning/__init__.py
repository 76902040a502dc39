"""The planner: one snapshot in, one plan out; pure, deterministic, without I/O."""
