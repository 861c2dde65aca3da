"""From data to numbers: price laws, leverage and impact with standard errors, origins, and what the data cannot tell apart.

Start with `run`: what can be measured is, the rest is kept from a base scenario, and `document` writes a scenario in which every
number says where it is from; `report` says the same in tables.

- `laws`: a price law fitted to hourly returns, one file a law (`laws.fits` names them), and tomorrow's volatility.
- `accounts`: from a snapshot of accounts to a population's leverage, and the liquidation prices that follow.
- `unwinds`: impact, resilience and engine speed from recorded unwinds.
- `indirect`: a log variance of several factors, with or without feedback: what simulated records have to have in common with the
  recorded one, and the parameters for which they do.
"""
