"""From a question to arrays: the request, checked and carried once, and the only training loop."""
