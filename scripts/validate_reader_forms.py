"""HDF5, packed tables and records of studies, changed from within, for `scripts/validate_readers.py`."""

import contextlib
import gzip
import io
import math
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Change = Callable[[bytes, random.Random], bytes]
LENGTHS = (0, 1, 39, 41, 1000, 2**31, 2**40, 2**60)
BOMB = 2**23
ATTRIBUTES: list[Any] = [
    0, 1, 40, 41, -1, 2**31, 2**63 - 1, 0.5, float("nan"), "", "x", "40", "a" * 5000, "\u00e9", b"\xff\xfe", [], [40],
    [40, 40], ["x", "y"], True, np.uint8(40), np.int8(-1), np.float32(40),
]  # fmt: skip


def hdf5_changed(content: bytes, chosen: random.Random) -> bytes:
    """An HDF5 file in which attributes and variables have other values, types, shapes and names, are missing, linked to something
    else, or say that they hold far more than they do."""
    import h5py

    made = io.BytesIO(content)
    with contextlib.suppress(OSError, RuntimeError), h5py.File(made, "r+") as file:
        of = {one: _axes(file[one]) for one in file}  # before it is changed: HDF5's own functions crash on what is damaged
        for _ in range(chosen.choice([1, 1, 2, 4])):
            names = sorted(file)
            if not names:
                break
            name = chosen.choice(names)
            # what HDF5 itself does not write
            with contextlib.suppress(ValueError, TypeError, OSError, RuntimeError, LookupError, AttributeError):
                inside = chosen.choice([file, file[name]]) if name in file else file
                change = chosen.choice([_attribute, _attribute, _variable, _variable, _length, _link, _info])
                change(file, inside, name, of, chosen)
    return made.getvalue()


def _attribute(file: Any, inside: Any, name: str, of: dict[str, list[str]], chosen: random.Random) -> None:
    import h5py

    known = sorted(inside.attrs)
    key = chosen.choice([*known, *known, "finished_paths", "dtype", "_Netcdf4Dimid", "x"])
    if chosen.random() < 0.3 and key in inside.attrs:
        del inside.attrs[key]
    elif chosen.random() < 0.05:
        inside.attrs[key] = h5py.Empty("f")
    else:
        value = chosen.choice(ATTRIBUTES)
        inside.attrs[key] = np.bytes_(value) if isinstance(value, bytes) else value


def _variable(file: Any, inside: Any, name: str, of: dict[str, list[str]], chosen: random.Random) -> None:
    """In the place of one, another: of another type, length, number of axes or layout; as a rule with the axes of the one."""
    import h5py

    old = file.get(name)
    shape = tuple(old.shape) if isinstance(old, h5py.Dataset) and old.shape is not None else (40,)
    if old is None:
        return
    said = {key: old.attrs.get(key) for key in ("CLASS", "NAME", "_Netcdf4Dimid")} if isinstance(old, h5py.Dataset) else {}
    del file[name]
    kind = chosen.randrange(9)
    if kind == 0:
        file.create_group(name)
    elif kind == 1:  # nothing of it is there, and it is said to be huge
        length = chosen.choice(LENGTHS)
        file.create_dataset(name, (length, *shape[1:]), "f4", chunks=(max(1, min(length, 2**20)), *shape[1:]))
    elif kind == 2 and chosen.random() < 0.1:  # packed a thousandfold
        file.create_dataset(
            name,
            data=np.zeros((BOMB // math.prod(shape[1:] or (1,)), *shape[1:]), "f4"),
            chunks=True,
            compression="gzip",
            compression_opts=1,
        )
    elif kind == 3:
        types = ["i1", "u8", "f2", "f8", "c16", "S7", "?", [("a", "f4"), ("b", "i4")], "V5", h5py.ref_dtype, h5py.string_dtype(),
                 h5py.vlen_dtype("i4"), h5py.enum_dtype({"no": 0, "yes": 1}), ("f4", (3,))]  # fmt: skip
        file.create_dataset(name, shape, chosen.choice(types))
    elif kind == 4:
        file.create_dataset(name, data=np.full(chosen.choice([(), (1,), (40,), (40, 2), (2, 3, 1), (40, 0), (1,) * 32]), np.nan))
    elif kind == 5:  # its numbers are those of another file
        file.create_dataset(
            name, shape, "u1", external=[(chosen.choice(["/etc/hostname", "/dev/zero", "r.nc", "none"]), 0, BOMB)]
        )
    elif kind == 6:
        file[name] = h5py.Empty("f4")
    elif kind == 7:
        shape = tuple(max(1, length) for length in shape) or (40,)
        file.create_dataset(name, shape, "f4", maxshape=(None,) * len(shape), chunks=shape, shuffle=True, fletcher32=True)
    else:
        layout = h5py.VirtualLayout(shape, "f4")
        if shape:
            layout[:] = h5py.VirtualSource(chosen.choice(["/etc/hostname", ".", "none.nc"]), "x", shape)
        file.create_virtual_dataset(name, layout)
    if isinstance(file[name], h5py.Dataset) and chosen.random() < 0.8:
        for key, value in said.items():
            if value is not None:
                file[name].attrs[key] = value
        _attach(file, name, of.get(name, []))


def _axes(variable: Any) -> list[str]:
    """The names of the dimensions of a variable, empty where it has none."""
    return [(axis[0].name or "").strip("/") if len(axis) else "" for axis in variable.dims] if not variable.is_scale else []


def _attach(file: Any, name: str, axes: list[str]) -> None:
    for place, axis in enumerate(axes):
        if axis and place < file[name].ndim:
            file[name].dims[place].attach_scale(file[axis])


def _length(file: Any, inside: Any, name: str, of: dict[str, list[str]], chosen: random.Random) -> None:
    """A dimension has another length, huge as a rule, in everything that has it; none of it is there, or it is packed."""
    axis = chosen.choice([one for one in of if any(one in axes for axes in of.values())])
    length, there = BOMB if chosen.random() < 0.02 else chosen.choice(LENGTHS), chosen.random() < 0.3
    packed = {"compression": "gzip", "compression_opts": 1}
    held = {one: file[one] for one, axes in of.items() if axis in axes}
    types, shapes = {one: file[one].dtype for one in held}, {one: file[one].shape for one in held}
    for one in [*held, axis]:
        del file[one]
    part = 2**16 if length >= 2**16 else None
    file.create_dataset(axis, (length,), "f4", chunks=part and (part,)).make_scale(axis)
    for one, axes in of.items():
        if one not in held:
            continue
        shape = tuple(length if at == axis else size for at, size in zip(axes, shapes[one], strict=True))
        chunk = part and tuple(part if at == axis else size for at, size in zip(axes, shape, strict=True))
        full = there and chunk is not None and math.prod(shape) <= BOMB and types[one].kind != "O"
        file.create_dataset(one, shape, types[one], chunks=chunk, **(packed if full else {}))
        if full:
            file[one][...] = 0
        _attach(file, one, axes)
    if axis == "paths":
        for key in ("finished_paths", "planned_paths"):
            file.attrs[key] = np.int64(length)


def _link(file: Any, inside: Any, name: str, of: dict[str, list[str]], chosen: random.Random) -> None:
    import h5py

    other = chosen.choice(
        ["x", "max_drawdown_index", "", "a b", "\u00e9", "x" * 300, "sample_x", "curve_x", "log_weights", name + "2"]
    )
    kind = chosen.randrange(5)
    if kind == 0:
        del file[name]
    elif kind == 1 and other and other not in file:
        file.move(name, other)
    elif kind == 2 and other and other not in file:
        file[other] = file[name]
    elif kind == 3:
        del file[name]
        file[name] = h5py.SoftLink(chosen.choice([name, "/", "/none", "info_json", "."]))
    else:
        del file[name]
        file[name] = h5py.ExternalLink(
            chosen.choice(["/etc/passwd", "/dev/zero", "r.nc", "none.nc", "."]), chosen.choice(["/", name])
        )


def _info(file: Any, inside: Any, name: str, of: dict[str, list[str]], chosen: random.Random) -> None:
    import h5py
    from validate_readers import json_changed

    old = file.get("info_json")
    if not isinstance(old, h5py.Dataset) or old.shape != () or not isinstance(old[()], bytes):
        return
    text = chosen.choice(
        [lambda: json_changed(old[()], chosen), lambda: b"[" * 100_000, lambda: b"{}", lambda: b'{"a": NaN}', lambda: b""]
    )()
    del file["info_json"]
    file.create_dataset("info_json", data=np.asarray(text.decode(), dtype=object), dtype=h5py.string_dtype())


def within(
    pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes], changes: list[Change], whole: Change
) -> list[Change]:
    """Changes of what is in a file, packed again, and now and then of the packed bytes, or of what is in there a thousandfold."""

    def inside(content: bytes, chosen: random.Random) -> bytes:
        text = unpack(content)
        if chosen.random() < 0.01:
            return pack(text + text.splitlines(keepends=True)[-1] * (2**18))
        return pack(chosen.choice(changes)(text, chosen))

    return [whole, inside, inside, inside]


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BTC.csv", content)
    return made.getvalue()


def unzipped(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(archive.namelist()[0])


def parquet(content: bytes) -> bytes:
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    made = io.BytesIO()
    parquet.write_table(csv.read_csv(io.BytesIO(content)), made)
    return made.getvalue()


def columns_changed(content: bytes, chosen: random.Random) -> bytes:
    """A Parquet file with columns of other types, names and lengths."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = parquet.read_table(io.BytesIO(content))
    for _ in range(chosen.choice([1, 1, 2])):
        place = chosen.randrange(table.num_columns)
        name, count = table.column_names[place], table.num_rows
        kind = chosen.randrange(6)
        if kind == 0 and table.num_columns > 1:
            table = table.remove_column(place)
        elif kind == 1:
            table = table.append_column(chosen.choice([name, "x", "time", "close", ""]), table.column(place))
        elif kind == 2:
            table = table.slice(chosen.randrange(count + 1), chosen.randrange(count + 1))
        else:
            of = lambda one, kind=None, count=count: pa.array([one] * count, kind)
            values: list[Any] = [
                pa.nulls(count), of(True), of([1]), of({"a": 1}), of(b"\xff"), of(-(2**63)), of(2**63, pa.uint64()),
                of(float("nan")), of(1e300), of(2**62, pa.timestamp("ns")), of(2**42, pa.timestamp("s")),
                of(-(2**62), pa.timestamp("us", "Europe/Berlin")),
                of(2**31 - 1, pa.date32()), of("x").dictionary_encode(), of(0, pa.duration("s")), of(10**37, pa.decimal128(38)),
                of(0, pa.time64("us")), of("\x00"),
            ]  # fmt: skip
            table = table.set_column(place, name, chosen.choice(values))
            if not table.num_columns:
                break
    made = io.BytesIO()
    parquet.write_table(table, made, version="2.6", coerce_timestamps=None)
    return made.getvalue()


def make_packed(make: Callable[[Path], Path], pack: Callable[[bytes], bytes], ending: str) -> Callable[[Path], Path]:
    """What makes a table, packed, and in the scenario under its new name."""

    def made(folder: Path) -> Path:
        plain = make(folder)
        packed = plain.with_name(plain.stem + ending)
        packed.write_bytes(pack(plain.read_bytes()))
        scenario = folder / "scenario.toml"
        scenario.write_text(scenario.read_text().replace(f'"{plain.name}"', f'"{packed.name}"'))
        plain.unlink()
        return packed

    return made


def make_study_record(folder: Path) -> Path:
    """A small study, run."""
    from validate_reader_files import command, make_study

    code, said = command("study", str(make_study(folder)), "--out", str(folder / "found"))
    assert not code, said
    return folder / "found"


def read_study(path: Path) -> None:
    """The study, and what is shown of it: its table, and of the first and one in fifty the page, which takes longer."""
    from jaxrisk import page
    from jaxrisk.page.answers import load

    answer = load(path)
    found = answer.value
    str(found.summary())
    repr(found)
    if not hasattr(read_study, "drawn") or sum((path / "study.json").read_bytes()) % 50 == 0:
        try:
            page.html(page.pages([answer], None))
        except ValueError as error:  # the command says which file cannot be drawn, and of which number
            raise ValueError(f"{path}: {error}") from None
        read_study.drawn = True


def forms(files: Any, bytes_changed: Change, json_changed: Change) -> dict[str, Any]:
    """More kinds of files, as `kinds` of `validate_reader_files`, which is given here as `files`."""
    table = [bytes_changed, files.csv_changed, files.csv_changed]
    return {
        "result file": (files.make_result, "", [bytes_changed, hdf5_changed, hdf5_changed], files.read_result),
        "price file, gzip": (make_packed(files.make_prices, gzip.compress, ".csv.gz"), "",
                             within(gzip.compress, gzip.decompress, table, bytes_changed), files.read_prices),
        "price file, zip": (make_packed(files.make_prices, zipped, ".zip"), "",
                            within(zipped, unzipped, table, bytes_changed), files.read_prices),
        "price file, Parquet": (make_packed(files.make_prices, parquet, ".parquet"), "",
                                [bytes_changed, columns_changed, columns_changed], files.read_prices),
        "account file, Parquet": (make_packed(files.make_accounts, parquet, ".parquet"), "",
                                  [bytes_changed, columns_changed, columns_changed], files.read_config),
        "study record": (make_study_record, "study.json", [bytes_changed, json_changed, json_changed], read_study),
    }  # fmt: skip


__all__ = ["forms"]
