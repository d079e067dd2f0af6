r"""A trainer that can be stopped at any moment and goes on to the same weights.

It fits a network with one output per set to labels 0 and 1, on one process or, started by
`torchrun`, on several as if they were one; keeps a history and checkpoints; and stops early when
asked to.

Chapters 10 and 14 use it.
"""

from invariant_nets.training.checkpoint import CheckpointError, CheckpointFolder
from invariant_nets.training.history import Epoch, History
from invariant_nets.training.trainer import BinaryTrainer

__all__ = [
    "BinaryTrainer",
    "CheckpointError",
    "CheckpointFolder",
    "Epoch",
    "History",
]
