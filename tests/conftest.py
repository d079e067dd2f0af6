"""What every test shares."""

import os
import signal
import sys

# Two test workers share two cores, and no window opens. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"
# mkdocs-material's notice on its maintenance; CONTRIBUTING.md tells it.
os.environ["NO_MKDOCS_2_WARNING"] = "true"

import torch
from hypothesis import Phase, settings

from tests.grouping import (  # noqa: F401
    pytest_collection_finish,
    pytest_configure_node,
    pytest_xdist_make_scheduler,
)
from tests.left_out import (  # noqa: F401
    pytest_deselected,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

# What a shell starts in the background ignores Ctrl-C, and so would every process of a test.
signal.signal(signal.SIGINT, signal.default_int_handler)

# torch's own also notes where it was called, for each accelerator that is absent: half a ms.
if not torch.accelerator.is_available():
    torch.manual_seed = torch.default_generator.manual_seed

# For addresses jsonschema compiles grammars, which takes seconds; no notebook's schema needs them.
sys.modules["rfc3987_syntax"] = None

# The first example of a law pays for warm-up, so no deadline; a CI run tries the same examples.
settings.register_profile("laws", deadline=None, derandomize="CI" in os.environ)
# `make test` tries fewer examples of each law than `make check`.
settings.register_profile("quick", settings.get_profile("laws"), max_examples=25)
# To know that a law fails, as mutation testing does, takes no simplest example of it.
settings.register_profile(
    "unshrunk",
    settings.get_profile("quick"),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
settings.load_profile("laws")
