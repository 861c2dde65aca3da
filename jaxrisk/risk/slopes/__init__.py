"""How a measure changes with the numbers of a scenario, with an interval that includes bias."""
