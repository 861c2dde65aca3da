"""Files that a run leaves, changed at random: a few hundred of the many that `scripts/validate_readers.py` tries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jaxrisk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["manifest", "record", "late", "log", "chunk", "sample", "plan", "chunk of a file", "scenario",
                                  "tier file", "price file", "account file", "study record", "result file", "price file, zip",
                                  "price file, Parquet"])  # fmt: skip
def test_what_is_changed_at_random_is_read_or_refused_in_words(kind):
    here = Path(jaxrisk.__file__).parent.parent
    command = [sys.executable, str(here / "scripts" / "validate_readers.py"), "--number", "200", "--kind", kind]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "200 changed" in done.stdout
