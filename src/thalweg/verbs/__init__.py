"""The verbs: predict, train, compare, sweep, predictor, rerun, and the study of learning rates."""
