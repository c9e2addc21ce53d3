"""Linear regression on data that a linear teacher labels: exact learning curves for any covariance of the inputs."""
