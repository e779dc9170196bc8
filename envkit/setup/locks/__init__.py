"""Files of pins with hashes, one for each profile, Python and platform."""
