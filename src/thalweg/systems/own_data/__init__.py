"""A user's own table: what the training points alone tell about the test curve, the best time and the best ridge."""
