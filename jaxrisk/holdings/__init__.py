"""Files of who holds what, from tables of `data` to checked arrays: positions, accounts, collateral, open interest by level.

Start with `accounts`: a table whose positions have collateral of their own, column by column, every problem with its line. What
venues publish is made such a table by `positions` (sides, coins instead of contracts, dollars). `cross_accounts` has accounts
that share a `collateral`, `levels` a liquidation map and a histogram of leverage, and `alone` checks any of them without the
scenario that names it. These become the populations of a scenario, for which `config` asks.

`account_file` reads snapshots of accounts instead, of which `calibration` takes leverages; `account_rows` says which of their
rows stand for the same thing. No row is added to another in silence. Nothing here knows TOML, models of `config`, or JAX.
"""
