#!/usr/bin/env python
"""How long twenty million one-minute bars take to be read, and how much memory: klines as archives have them, with every check.

    python scripts/time_files.py [--rows 20000000] [--folder FOLDER]

Prints seconds and the most memory that the reading process held, for one file and for a folder of forty yearly files. Aims, on
two cores: under 20 s, within 3 GiB.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

FIRST = 16_000_000
"""Minutes from 1970 to the first bar, in June 2000: numbers that would be times before 2000 are refused."""
READ = """
import resource, sys, time
from jaxrisk.data.price_file import read_price_file
begin = time.perf_counter()
prices = read_price_file(sys.argv[1])
seconds, used = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20
print(f"{sys.argv[2]}: {len(prices.time):,} bars of {prices.step} s in {seconds:.1f} s ({cpu:.1f} s of CPU), {peak:.2f} GiB")
print(f"  {'; '.join(prices.findings)}")
"""


def write(folder: Path, rows: int, files: int) -> None:
    """Klines in twelve columns without header, milliseconds and, in the second half, microseconds."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv

    random = np.random.default_rng(0)
    price, done = 20_000.0, 0
    for part in range(files):
        count = (rows - done) // (files - part)
        minute = FIRST + np.arange(done, done + count)
        scale = np.where(np.arange(done, done + count) < rows // 2, 1, 1000)
        close = np.round(price * np.exp(np.cumsum(random.normal(0.0, 5e-4, count))), 2)
        opening = np.concatenate([[price], close[:-1]])
        high, low = np.maximum(opening, close) + 1.5, np.minimum(opening, close) - 1.5
        volume = np.round(random.gamma(2.0, 10.0, count), 3)
        columns = [
            minute * 60_000 * scale,
            opening,
            high,
            low,
            close,
            volume,
            minute * 60_000 * scale + 59_999 * scale,
            np.round(volume * close, 4),
            np.full(count, 900),
            volume / 2,
            np.round(volume * close / 2, 4),
            np.zeros(count, int),
        ]
        price, done = float(close[-1]), done + count
        table = pa.table({f"f{i}": column for i, column in enumerate(columns)})
        csv.write_csv(table, folder / f"BTCUSDT-1m-{part:03d}.csv", csv.WriteOptions(include_header=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--folder", type=Path, help="where the files are written, and left (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for files, word in ((1, "one file"), (40, "a folder of 40 files")):
            here = folder / str(files)
            here.mkdir(parents=True, exist_ok=True)
            if not list(here.glob("*.csv")):
                write(here, options.rows, files)
            path = here if files > 1 else next(here.glob("*.csv"))
            subprocess.run([sys.executable, "-c", READ, str(path), word], check=True)


if __name__ == "__main__":
    main()
