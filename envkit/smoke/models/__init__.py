"""The reference models as users of each framework write them; run in the inspected interpreter, beside an adapter.

Each file imports the standard library and its framework only, and has MODELS: by the name of a case what its adapter
makes a network of.
"""
