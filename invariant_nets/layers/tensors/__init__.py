r"""One layer for sets, tables and graphs: all linear maps between tensors whose axes sets index.

A linear map that commutes with permutations of the indices has one weight for each way in which
indices that come in and go out can be equal: for each set partition of the axes.

Chapter 12 derives it.
"""

from invariant_nets.layers.tensors.layer import TensorLinear

__all__ = ["TensorLinear"]
