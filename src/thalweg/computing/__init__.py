"""How pure functions are run: compiled, in batches of seeds, stopped by Ctrl-C; and trees of arrays, taken apart."""
