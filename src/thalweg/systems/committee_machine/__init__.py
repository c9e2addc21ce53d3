"""Two-layer networks (committee machines) that learn in one pass over fresh samples."""
