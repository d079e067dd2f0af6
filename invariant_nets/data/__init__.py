r"""Sets to learn from: the running task with its exact limit, padded batches, and sets of your own.

The running task asks whether $n = 10$ vectors of $d = 5$ features come from $N(0, I)$ or from
$N(0, 0.8\,I)$. Its best possible accuracy is known, so every model is compared with a limit and not
only with others. Sets of different sizes are padded to one tensor, with a mask that marks the
members. Labeled sets come from tensors, from files of arrays, tensors or tables, and from classical
data sets of bags. Their labels are binary, classes or numbers, one per set or one per member. Two
more tasks have a known symmetry: hands of poker, and solids rotated in space.

Used in chapters 2, 11, 13 and 14.
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
