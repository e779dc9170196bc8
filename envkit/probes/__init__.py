"""Probes observe one machine: a module each, `observe(root="/") -> Section`, nothing changed while looking."""
