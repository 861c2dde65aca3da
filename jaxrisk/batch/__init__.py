"""Many paths: planned as chunks, run here or by others, checked, gathered.

Start with `run`: `plan` is what is to be run, `running` runs its chunks one after the other or on an executor, `work` is one
chunk, `sinks` where its losses go, `describe` what a result says besides. `many` runs several scenarios on the same random
numbers.
"""

from .cache import use_compilation_cache as use_compilation_cache
from .many import simulate_many as simulate_many
from .problems import (
    NonFinite as NonFinite,
    SetAside as SetAside,
    WorkersLost as WorkersLost,
    WorkersRefused as WorkersRefused,
)
from .run import simulate as simulate
