"""The state of a training run, saved after each epoch, so that it continues where it was killed.

Used in chapter 10.
"""

from invariant_nets.training.resuming.checkpoint import CheckpointError, CheckpointFolder

__all__ = ["CheckpointError", "CheckpointFolder"]
