"""Other packages, measured in an environment of their own."""
