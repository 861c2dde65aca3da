"""The cascade: one step, the scan over steps, what is observed.

Start with `step`, one step of one path in the order in which things happen; `engine` scans it over steps and paths, `blocks` runs
the paths of a range in compiled blocks, `together` several scenarios on the same noise. Of a step: `noise` and `source` are its
random numbers, `impact` and `depth` how forced orders move the price, `backstop` who pays, `breaker` what is halted, `watch` and
`observe` what is noted. `over_paths` is how a step of one path is evaluated for many.
"""

from .backstop import TRIGGERS as TRIGGERS, Backstop as Backstop
from .breaker import Breaker as Breaker
from .criticality import Fragility as Fragility, fragility as fragility
from .depth import Depth as Depth
from .engine import (
    Prepared as Prepared,
    path_losses as path_losses,
    prepare as prepare,
    record_block as record_block,
    run_block as run_block,
    seed_key as seed_key,
)
from .impact import (
    AbstractImpactLaw as AbstractImpactLaw,
    Impact as Impact,
    LinearImpact as LinearImpact,
    PowerImpact as PowerImpact,
    TableImpact as TableImpact,
    TemporaryImpact as TemporaryImpact,
)
from .venues import Channels as Channels, Venues as Venues
