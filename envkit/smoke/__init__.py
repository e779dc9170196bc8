"""Smoke: proof by training. Two small models, trained in each framework on the device it is meant to use."""
