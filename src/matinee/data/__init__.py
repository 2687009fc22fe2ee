"""Data sets and ratings."""
