"""Logistic regression on any data: which rows are separable, the ray, the finite part, and the way there."""
