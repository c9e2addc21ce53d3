"""Pure functions without learning vocabulary."""
