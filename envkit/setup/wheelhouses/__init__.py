"""Folders of wheels for machines without a network."""
