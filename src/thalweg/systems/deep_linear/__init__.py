"""Deep linear networks, f(x) = W_N ... W_1 x: exact flows, certificates, regularised landscape."""
