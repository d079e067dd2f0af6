"""What makes pages of chapters: outputs, formulas and their links, the notebook to download."""
