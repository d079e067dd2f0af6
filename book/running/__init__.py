"""Reads, runs and repeats chapters; knows nothing of MkDocs."""
