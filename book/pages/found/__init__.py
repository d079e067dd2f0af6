"""What a reader looks for on the pages: the theorems, and what the search reads."""
