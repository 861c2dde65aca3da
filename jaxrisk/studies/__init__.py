"""Questions asked of the engine: sensitivities, reverse stress tests, rare events, the design of limits, attribution, and
grids of settings. One question a file, its answer an object that shows itself (`shown`); start with `sensitivity`, or with
`study`, which reads a study's file (`study_file`; a model for each of its tables in `study_tables`), plans runs (`study_plan`),
has them run or finds them (`study_run`), and says what they found (`study_found`).

A function may have the name of its module: import it from here, or from its module.
"""

from .design import Design, design_limits
from .rare_event import RareEvent, rare_event
from .reverse_stress import ReverseStress, StressPath, reverse_stress
from .sensitivity import Sensitivities, sensitivity
from .study import Study, study

__all__ = [
    "Design",
    "RareEvent",
    "ReverseStress",
    "Sensitivities",
    "StressPath",
    "Study",
    "design_limits",
    "rare_event",
    "reverse_stress",
    "sensitivity",
    "study",
]
