"""How a benchmark is run, timed, fitted and kept."""
