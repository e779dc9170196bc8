"""Which packages exactly: uv asked, its answer read, its refusals translated."""
