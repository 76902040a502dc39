"""The Kubernetes API: how it is asked and followed, and our own kinds in it."""
