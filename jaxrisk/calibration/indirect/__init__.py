"""Indirect inference: bars and moments of the recorded days, simulated histories, and parameters for which the two agree."""
