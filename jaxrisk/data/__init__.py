"""Other people's files as our tables: prices, open interest, funding, margin tiers, in the forms in which they are published.

Start with `read`: `read_table` reads every table, in whatever `containers` (packed, archives, folders) and `text` or JSON it is,
as `columns` under our `names`, and says in a line what it took the file for. `documents` are what venues' interfaces answer.

On these stand the readers of one kind each, with all problems at once, by file, line and column: `price_file` (bars, for
calibration), `price_grid` (prices on a run's grid), `open_interest`, `funding`, and `tier_tables`, of which `tier_dollars` and
`tier_schedule` make a schedule in dollars. `named` finds and remembers the files that a scenario names. Who holds what is a room
of its own, `holdings`, which needs `rows`, `repeats` (rows that stand for the same thing) and `symbols` (contracts of a coin).
"""
