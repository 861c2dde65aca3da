"""How much of an observed unwind was the market's own leverage, with an interval over what is not known."""
