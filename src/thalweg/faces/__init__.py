"""Faces: command line, pictures, reports, index. They read the registry and know no system by name."""
