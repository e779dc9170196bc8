"""What `doctor --fix` and `setup --into` change in an environment that is kept."""
