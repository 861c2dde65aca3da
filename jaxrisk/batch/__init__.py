"""Many paths: cut into blocks, run, checked, gathered."""

from .cache import use_compilation_cache as use_compilation_cache
from .many import simulate_many as simulate_many
from .problems import (
    NonFinite as NonFinite,
    SetAside as SetAside,
    WorkersLost as WorkersLost,
    WorkersRefused as WorkersRefused,
)
from .run import simulate as simulate
