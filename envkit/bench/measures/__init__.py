"""What is sent to the inspected interpreter: the standard library and PyTorch only, Python 3.9 and newer.

A measure takes a context (see child.py), a device and a variant, and returns what it found: {"value", "unit", ...}.
It raises NotImplementedError where that cannot be measured here, which is no fault.
"""
