r"""The layer of tensors whose axes sets index: sums, products of channels, and copies."""
