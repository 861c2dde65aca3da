"""Notebooks run from the first cell to the last in a kernel of their own, small; a kernel that is interrupted stays usable."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext", reason="the extra `test` is not installed whole")
nbclient = pytest.importorskip("nbclient", reason="the extra `test` is not installed whole")
pytest.importorskip("ipykernel", reason="the extra `test` is not installed whole")
nbformat = pytest.importorskip("nbformat", reason="the extra `test` is not installed whole")

FOLDER = Path(__file__).parents[2] / "scripts" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
SMALL = {"PATHS": 1024, "STEPS": 48, "RESTARTS": 4, "MAX_PATHS": 20_000, "DRAWS": 8}
"""What stands in place of a notebook's own sizes, by name."""
PATIENCE = 1800
"""Seconds that a reply is waited for on a machine that has much else to do; a kernel that hangs is ended then."""


def _sizes(cell) -> dict[str, object]:
    """Names and values that a cell of parameters assigns."""
    found = {}
    for line in ast.parse(cell.source).body:
        names, values = line.targets[0], line.value
        pairs = zip(names.elts, values.elts, strict=True) if isinstance(names, ast.Tuple) else [(names, values)]
        found |= {name.id: ast.literal_eval(value) for name, value in pairs}
    return found


def _small(path):
    """The notebook with sizes that take seconds, which follow its own cell of parameters."""
    notebook = jupytext.read(path)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    sizes = _sizes(notebook.cells[place])
    assert set(sizes) <= set(SMALL), f"{path.name}: a size that the tests do not know"
    assert sizes, path.name
    small = "; ".join(f"{name} = {min(SMALL[name], value)}" for name, value in sizes.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(small))
    return notebook


def _outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.slow
@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    notebook = _small(path)
    nbclient.NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = _outputs(notebook)
    said = "".join(output.get("text", "") for output in outputs if output.output_type == "stream" and output.name == "stderr")
    assert "Warning" not in said, said
    data = [output.data for output in outputs if "data" in output]
    assert any("image/png" in one for one in data), "no picture is shown"
    bars = [one["text/html"] for one in data if "<progress" in one.get("text/html", "")]
    for bar in bars:
        done, total = re.search(r'value="(\d+)" max="(\d+)"', bar).groups()
        assert done == total, bar
    assert bool(bars) == ("progress_bar" in path.read_text())
    for one in data:
        assert " at 0x" not in one.get("text/plain", ""), one["text/plain"]


@pytest.mark.slow
@pytest.mark.usefixtures("quickly_compiled")
def test_an_interrupt_leaves_the_kernel_usable():
    from jupyter_client.manager import start_new_kernel

    manager, kernel = start_new_kernel(kernel_name="python3", startup_timeout=PATIENCE)
    try:
        small = "jr.simulate(jr.load('btc_24h'), paths=512, steps=48, sample_paths=0).paths"
        assert _reply(kernel, f"import jaxrisk as jr; {small}")["status"] == "ok"
        asked = kernel.execute(
            "with jr.progress_bar() as bar:\n"
            "    def told(done, total):\n"
            "        bar(done, total)\n"
            "        if done: print('under way', flush=True)\n"
            "    jr.simulate(jr.load('btc_24h'), paths=100_000_000, steps=48, sample_paths=0, chunk=4096, progress=told)",
            stop_on_error=False,
        )
        while True:
            message = kernel.get_iopub_msg(timeout=PATIENCE)
            if message["msg_type"] == "stream" and "under way" in message["content"]["text"]:
                break
            assert message["msg_type"] != "error", message["content"]
        begun = time.monotonic()
        manager.interrupt_kernel()
        reply = _answer(kernel, asked)
        assert (reply["status"], reply.get("ename")) == ("error", "KeyboardInterrupt")
        assert time.monotonic() - begun < PATIENCE / 2
        again = _reply(kernel, f"assert {small} == 512")
        assert again["status"] == "ok", again
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)


def _reply(kernel, code):
    return _answer(kernel, kernel.execute(code))


def _answer(kernel, asked):
    while (message := kernel.get_shell_msg(timeout=PATIENCE))["parent_header"].get("msg_id") != asked:
        pass
    return message["content"]


def test_they_are_shipped_as_notebooks(tmp_path):
    subprocess.run([sys.executable, FOLDER / "build", tmp_path], check=True, capture_output=True)
    made = sorted(tmp_path.glob("*.ipynb"))
    assert [file.stem for file in made] == [path.stem for path in NOTEBOOKS]
    for file, path in zip(made, NOTEBOOKS, strict=True):
        notebook = jupytext.read(file)
        assert notebook.metadata["kernelspec"]["name"] == "python3"
        assert notebook.cells[0].source.startswith("# ")
        assert [cell.source for cell in notebook.cells] == [cell.source for cell in jupytext.read(path).cells]
        assert "%matplotlib inline" in "".join(cell.source for cell in notebook.cells)
