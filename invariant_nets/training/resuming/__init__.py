"""What a training run depends on, kept after each epoch, so that it goes on where it was killed.

Used in chapter 10.
"""

from invariant_nets.training.resuming.checkpoint import CheckpointError, CheckpointFolder

__all__ = ["CheckpointError", "CheckpointFolder"]
