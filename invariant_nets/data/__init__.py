r"""Sets to learn from: the running task with its exact limit, padded batches, and sets of your own.

The running task asks whether $n = 10$ vectors of $d = 5$ features come from $N(0, I)$ or from
$N(0, 0.8\,I)$. Its best possible accuracy is known, so that every model is compared with a limit
and not only with others. Sets of different sizes are padded to one tensor, with a mask that says
who is a member. Labeled sets, whose labels are binary, classes or numbers, one a set or one a
member, come from tensors, from files of arrays, tensors or tables, and from the classical bags; two
more tasks whose symmetry is known are made: hands of poker, and solids turned in space.

Chapters 2, 11 and 13 use it.
"""

from invariant_nets.data.bayes import bayes_accuracy, bayes_loss, bayes_threshold
from invariant_nets.data.gaussian import GaussianDataset
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.data.poker import poker_hands
from invariant_nets.data.ragged import PaddedSets, collate_sets, pad_graphs, pad_sets, unpad_sets
from invariant_nets.data.set_files import SetFile, SetFileError, load_bags, load_sets
from invariant_nets.data.shapes import random_shapes

__all__ = [
    "GaussianDataset",
    "LabeledSets",
    "PaddedSets",
    "SetFile",
    "SetFileError",
    "bayes_accuracy",
    "bayes_loss",
    "bayes_threshold",
    "collate_sets",
    "load_bags",
    "load_sets",
    "pad_graphs",
    "pad_sets",
    "poker_hands",
    "random_shapes",
    "unpad_sets",
]
