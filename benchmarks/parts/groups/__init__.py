"""Groups: their elements, the chains of their generators, and canonical forms under them."""
