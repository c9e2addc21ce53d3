"""Draws and starts shared by several problems, and real data sets."""
