r"""Models trained on one task with one budget, and ranked by their score on fresh sets.

The models of the book are registered by name, each with its route, the largest group to which it is
exactly invariant, and its chapter. Your own models are compared in the same way, on the Gaussian
task or on your own labeled sets.

Used in chapter 11; `python -m invariant_nets compare` is the same as a command.
"""

from invariant_nets.comparison.compare import compare
from invariant_nets.comparison.graphs.export import Graphs, export_graphs
from invariant_nets.comparison.models import MODELS, build_model
from invariant_nets.comparison.report import Comparison
from invariant_nets.comparison.results import ModelResult, ModelSpec, Run
from invariant_nets.comparison.sets_task import SetsTask
from invariant_nets.comparison.tasks import GaussianTask

__all__ = [
    "MODELS",
    "Comparison",
    "GaussianTask",
    "Graphs",
    "ModelResult",
    "ModelSpec",
    "Run",
    "SetsTask",
    "build_model",
    "compare",
    "export_graphs",
]
