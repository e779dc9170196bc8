"""`setup --into` and `--system`: a Python that exists."""
