"""Makes slides for lectures of the cells that chapters mark for them."""
