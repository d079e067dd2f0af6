r"""Multiply transitive groups: the degree of transitivity, and two families of such groups."""
