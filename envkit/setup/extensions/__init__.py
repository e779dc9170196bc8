"""`--extras`: compiled extensions, and nvcc from wheels."""
