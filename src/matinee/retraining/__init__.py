"""Retraining that cannot hurt: what people rated since joins the data, and a gate decides whether the result serves."""
