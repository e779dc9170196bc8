"""The oracle of smoke: the reference models in NumPy float64, with backpropagation and optimisers written by hand.

It makes the golden data in `envkit/smoke/golden` (`python -m envkit.smoke.reference`, about a minute), and needs the
standard library, NumPy and `envkit.smoke.cases` alone: no framework is asked what is right. envkit never imports it.
"""
