"""From a prediction and runs to one word: functionals, error budget, verdict."""
