"""Real unwinds: what was known before them, what was observed after, forecasts of that, and how they score."""
