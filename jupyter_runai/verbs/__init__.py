"""What `%runai` and `jupyter runai` answer: one parser, and one module for each group of verbs."""
