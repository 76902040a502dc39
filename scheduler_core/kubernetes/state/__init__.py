"""What a cluster is at this moment: its nodes, pods, owners and queues, as the planner and people see them."""
