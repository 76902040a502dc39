"""Figures and states in words, the same wherever text is shown."""
