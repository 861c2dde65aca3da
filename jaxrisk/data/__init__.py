"""Other people's files as our tables: prices, open interest, margin tiers, accounts, in the forms in which they are published.

`read.read_table` reads every table, `documents` what venues' interfaces answer, and each says in a line what it took a file for.
"""
