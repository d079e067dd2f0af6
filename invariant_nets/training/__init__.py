r"""A trainer that can be stopped at any moment and resumed, and ends with the same weights.

`Trainer` fits a network to a `Task`: labels 0 and 1, classes or numbers, of each set or of each
member. It runs on one process or, started by `torchrun`, on several as if they were one. It keeps a
history and checkpoints, and can stop early. `BinaryTrainer` infers the task from the loss.

Used in chapters 10 and 12 to 14.
"""

from invariant_nets.training.binary import BinaryTrainer
from invariant_nets.training.history import Epoch, History, LossAndScore
from invariant_nets.training.resuming.checkpoint import CheckpointError, CheckpointFolder
from invariant_nets.training.tasks import Task
from invariant_nets.training.trainer import Trainer

__all__ = [
    "BinaryTrainer",
    "CheckpointError",
    "CheckpointFolder",
    "Epoch",
    "History",
    "LossAndScore",
    "Task",
    "Trainer",
]
