"""Keeps tasks for the next cell of their name."""
