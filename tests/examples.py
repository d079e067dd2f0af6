"""On how many examples a law is tried that takes longer than others, or needs more."""

from hypothesis import settings

ALL = settings.get_profile("laws").max_examples


def examples(number):
    """So many in `make check`, and no more than of any other law where a profile tries fewer."""
    most = settings.default.max_examples
    return settings(max_examples=number if most >= ALL else min(number, most))
