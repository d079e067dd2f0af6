"""Runs all benchmarks: `python -m benchmarks`."""

from benchmarks.harness.running import main

if __name__ == "__main__":  # processes that measure memory import this too
    main()
