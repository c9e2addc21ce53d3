"""Shallow ReLU networks from a small start: orthogonal inputs in reduced coordinates, or a user's own inputs."""
