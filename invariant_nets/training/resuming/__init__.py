"""What a training run depends on, kept after each epoch, so that it goes on where it was killed.

Chapter 14 kills one.
"""

from invariant_nets.training.resuming.checkpoint import CheckpointError, CheckpointFolder

__all__ = ["CheckpointError", "CheckpointFolder"]
