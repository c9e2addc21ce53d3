"""Networks with a square activation, f(x) = x'WW'x, taught by another quadratic form."""
