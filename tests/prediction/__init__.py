"""Prediction against what really happens."""
