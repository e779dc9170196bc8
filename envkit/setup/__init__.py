"""Builds an environment: sources (where packages come from) · resolve · plan (pure) · apply (transaction) · state."""
