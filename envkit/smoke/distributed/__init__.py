"""Training on many devices: it must give the trajectory of one, and what stops a rank is named."""
