"""What is known beside the results: which tool offers what, and why a cost grows as it does."""
