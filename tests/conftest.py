"""What every test shares."""

import os

from hypothesis import settings

# The first example of a law pays for warm-up, so no deadline; a CI run tries the same examples.
settings.register_profile("laws", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("laws")
