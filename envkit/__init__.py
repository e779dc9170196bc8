"""envkit: environment set-up and hardware diagnostics for people who train models."""

__version__ = "0.1.0"
