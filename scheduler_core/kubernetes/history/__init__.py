"""What a cluster keeps of the past, where its controller was given a folder for it."""
