"""Speed as ratios, each measured side by side in one run; no test depends on them.

A part is a module with `measure(quick)`, which returns its results (`results`); `python -m
benchmarks` runs them all and keeps what they find in `results.json`, from which the book's page is
made. `peers` are other packages, measured in an environment of their own.
"""
