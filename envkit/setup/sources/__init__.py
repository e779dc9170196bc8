"""Where packages come from: what pip and uv are configured with, and what is said where that cannot be reached."""
