"""Results as labelled data: their schema, their files, and problems written as plain JSON."""
