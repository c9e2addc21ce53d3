"""Linear classifiers on two classes: a Gaussian mixture, or a user's own data."""
