r"""The maps between tensors as set partitions of their axes: how many, and how each is computed.

Nothing here knows numbers: what a layer of a pattern does is planned once, from its axes alone.
"""
