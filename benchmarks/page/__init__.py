"""The book's page of benchmarks, made from what they kept."""
