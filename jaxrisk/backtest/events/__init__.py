"""Unwinds as files: what was known before each, what was observed after, forecasts of that, and how they score."""
