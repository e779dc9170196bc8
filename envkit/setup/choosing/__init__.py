"""Which profile suits a machine, this one or one that is assumed."""
