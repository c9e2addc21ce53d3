"""One file = one problem + all its theories + its presets."""
