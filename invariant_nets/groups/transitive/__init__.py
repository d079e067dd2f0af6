r"""Groups that take any few points to any others: how many, and two families of them."""
