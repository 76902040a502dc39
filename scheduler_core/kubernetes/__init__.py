"""The engine on a cluster: its state is in the Kubernetes API, and the cluster says what a user may do."""
