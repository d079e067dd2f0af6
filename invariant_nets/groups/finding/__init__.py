"""How the chain of stabilizers of any generators is found, and proved."""
