"""Sizes that pages and pictures have are taken down, so that what they say is run in seconds."""

import re

PATHS = 1024
_SIZE = re.compile(r"""(\bpaths"?\s*[=:]\s*|\bPATHS = )([\d_]+)""")


def small(source: str) -> str:
    """Python with no number of paths above `PATHS`.

    >>> small("simulate(one, paths=20_000)")
    'simulate(one, paths=1024)'
    """
    return _SIZE.sub(lambda found: f"{found[1]}{min(int(found[2]), PATHS)}", source)
