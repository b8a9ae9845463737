"""The exported trainer opens token files as `ckpt` does: by their content."""

import pathlib
import struct
import sys

import numpy as np
import pytest

RESOURCES = pathlib.Path(__file__).parents[2] / "Sources" / "TransformersExport" / "Resources"
IDS = [5, 0, 300, 7]


@pytest.fixture
def data(monkeypatch):
    monkeypatch.syspath_prepend(str(RESOURCES))
    import train_data

    yield train_data
    for name in [name for name in sys.modules if name.startswith("train_")]:
        del sys.modules[name]


def megatron(path: pathlib.Path, dtype: str, code: int) -> str:
    ids = np.array(IDS, dtype)
    ids.tofile(path.with_suffix(".bin"))
    path.with_suffix(".idx").write_bytes(
        b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, code, 1, 2)
        + struct.pack("<iqqq", len(ids), 0, 0, 1))
    return str(path.with_suffix(".bin"))


@pytest.mark.parametrize("dtype, code", [("<i4", 4), ("<u2", 8), ("<i8", 5)])
def test_megatron(data, tmp_path, dtype, code):
    path = megatron(tmp_path / "a", dtype, code)
    assert data._open(path, "auto", 1000).tolist() == IDS
    assert data._open(path[:-4] + ".idx", "auto", 1000).tolist() == IDS


@pytest.mark.parametrize("magic, dtype", [(20240520, "<u2"), (20240801, "<u4")])
def test_shard(data, tmp_path, magic, dtype):
    path = tmp_path / "a.bin"
    header = np.zeros(256, "<i4")
    header[:3] = magic, 1, len(IDS)
    path.write_bytes(header.tobytes() + np.array(IDS, dtype).tobytes())
    assert data._open(str(path), "auto", 1000).tolist() == IDS


def test_bare(data, tmp_path):
    path = tmp_path / "a.bin"
    np.array(IDS, "<u2").tofile(path)
    assert data._open(str(path), "auto", 1000).tolist() == IDS
    np.array(IDS, "<i4").tofile(path)
    with pytest.raises(data.DataError, match="every second"):
        data._open(str(path), "auto", 1000)


def test_text(data, tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(data.DataError, match="--prepare"):
        data._open(str(path), "auto", 1000)
