"""The tables of a scenario file, each a pydantic model with the table's name: `[run]` is `Run`, `[venues.NAME]` is `Venue`.

Whoever knows the file knows the code. `scenario.Scenario` is the file as a whole; a key is a line in the model of its table, with
its type, bounds, default, unit and description, and that line is all there is of it: the JSON Schema, and the sentences about
what is wrong, come from there. A table whose keys depend on a word (`process`, `law`, `kind`) has a model for each word.

Three pieces are our own, each for a reason:

- `sentences` translates pydantic's errors. What is allowed at a key is said from the JSON Schema of that key.
- `Table.between` has what holds between keys, as a generator of all that does not. Pydantic runs a validator of a model only
  where every key is right by itself; here one wrong key hides nothing that is wrong with others, so `Table` asks it of the rest.
- `by_name` and `matrices` check names of assets against the scenario, which only the context of a validation knows.
"""

from ...data.names import Context as Context
from .exchange import Call as Call, Flow as Flow, Funding as Funding, Stop as Stop
from .impact import (
    LAWS as LAWS,
    Impact as Impact,
    LinearLaw as LinearLaw,
    PowerLaw as PowerLaw,
    TableLaw as TableLaw,
    TemporaryImpact as TemporaryImpact,
)
from .limits import Cap as Cap, Limits as Limits
from .market import (
    PROCESSES as PROCESSES,
    Bootstrap as Bootstrap,
    LogVariance as LogVariance,
    Market as Market,
    Replay as Replay,
    Started as Started,
)
from .populations import (
    KINDS as KINDS,
    Accounts as Accounts,
    CrossAccounts as CrossAccounts,
    Histogram as Histogram,
    LiquidationMap as LiquidationMap,
    Lognormal as Lognormal,
    Population as Population,
)
from .read import read_table as read_table, read_variant as read_variant
from .run import Asset as Asset, Channels as Channels, Depth as Depth, Run as Run
from .shock import Shock as Shock
from .start import FromFactors as FromFactors, FromPrices as FromPrices
from .table import Table as Table, keys_of as keys_of
from .values import MOST_USD as MOST_USD, SHARE_TOLERANCE as SHARE_TOLERANCE
from .venues import Rules as Rules, Tier as Tier, Venue as Venue
