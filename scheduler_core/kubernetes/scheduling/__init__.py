"""Pods to nodes: the plan carried out, verdicts and queues' status written, KAI where it does that itself."""
