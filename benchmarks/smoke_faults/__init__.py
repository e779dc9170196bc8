"""Which faults `envkit smoke` notices: each is put into a float32 implementation of the models in NumPy."""
