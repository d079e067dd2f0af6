"""What is measured: a module a part, each with `measure(quick)`, which returns its results."""
