r"""The canonical form of matrices whose rows and columns are permuted apart, by sorting both.

The sorted entries of a row do not depend on the order of the columns, and vice versa; where both
tie, all orders of one side are tried.
"""
