"""The visit to a GPU, rehearsed on a CPU: every part runs, is reported, and does not stop the next."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
ENVIRONMENT = {
    **os.environ,
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": os.pathsep.join((str(SCRIPTS.parent), str(SCRIPTS), os.environ.get("PYTHONPATH", ""))),
}
PARTS = ("device", "scan_and_cpu", "fused_and_scan", "chunks", "gradients", "shapes", "benchmark", "simulate")


def checked(*arguments):
    command = [sys.executable, str(SCRIPTS / "gpu_check.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_every_part_runs_on_a_cpu(part, tmp_path):
    done = checked("--on-cpu", "--only", part, "--out", str(tmp_path), "--seconds", "3000")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu_check.json").read_text())["parts"][part]
    assert found["state"] == "done"
    assert found["rows"]
    assert not any("failed" in row for row in found["rows"])
    page = (tmp_path / "gpu_check.md").read_text()
    assert page.startswith("# GPU check\n\nA trial on a CPU")
    assert f"| {part} | done |" in page


@pytest.mark.slow
def test_a_part_whose_time_is_over_is_reported_and_the_next_begins(tmp_path):
    done = checked("--on-cpu", "--only", "gradients", "device", "--out", str(tmp_path), "--seconds", "1")
    assert done.returncode == 1
    parts = json.loads((tmp_path / "gpu_check.json").read_text())["parts"]
    assert list(parts) == ["gradients", "device"]
    assert parts["gradients"]["state"] == "stopped: its time was over"


@pytest.mark.slow
def test_a_machine_without_a_gpu_says_so_in_one_line(tmp_path):
    done = checked("--out", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == "no GPU here: JAX says cpu; --on-cpu tries every part on tiny sizes\n"
    assert not list(tmp_path.iterdir())


def test_a_python_without_jax_says_so_in_one_line(tmp_path):
    command = [sys.executable, "-S", str(SCRIPTS / "gpu_check.py"), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("no JAX in ")
    assert len(done.stdout.splitlines()) == 1
    assert not done.stderr
    assert not list(tmp_path.iterdir())


def test_reports_are_not_written_over_the_script():
    done = subprocess.run([sys.executable, str(SCRIPTS / "gpu_check.py"), "--help"], capture_output=True, text=True, check=True)
    name = done.stdout.split("folder of the reports (default: ")[1].split(")")[0]
    assert not (SCRIPTS / name).exists()


@pytest.mark.slow
def test_paths_that_differ_are_found(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    parts = importlib.import_module("gpu_parts")
    losses = {"log_return": np.linspace(-1.0, 1.0, 1000)[:, None]}
    moved = lambda paths, by: {"log_return": losses["log_return"] + by * (np.arange(1000) < paths)[:, None]}
    assert parts._difference(losses, losses)["agrees"]
    assert parts._difference(moved(5, 0.1), losses)["agrees"]
    found = parts._difference(moved(20, 0.1), losses)
    assert not found["agrees"]
    assert found["share_beyond"] == 0.02
    assert not parts._difference(moved(1, np.nan), losses)["agrees"]


def test_a_page_has_every_row_and_the_errors_of_what_failed():
    spec = importlib.util.spec_from_file_location("gpu_report", SCRIPTS / "gpu_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = [{"kernel": "scan", "rate": 1.23456e9}, {"kernel": "fused", "failed": "a|b"}]
    page = module.markdown({"benchmark": {"state": "failed", "seconds": 2.0, "rows": rows, "errors": "Traceback"}}, False)
    assert "| kernel | rate | failed |\n|---|---|---|\n| scan | 1.235e+09 |  |\n| fused |  | a/b |\n" in page
    assert page.endswith("```\nTraceback\n```\n")
