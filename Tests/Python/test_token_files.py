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
    import train_kinds  # noqa: F401
    import train_tokens

    yield train_tokens
    for name in [name for name in sys.modules if name.startswith("train_")]:
        del sys.modules[name]


def opened(data, path, ending):
    """Tokens of a file, of the kind that its content says."""
    kind = sys.modules["train_kinds"].kind_of(str(path))
    return data.opened(str(path), kind, 1000, ending)


def ids(data, path) -> list[int]:
    tokens = opened(data, path, None)
    return (tokens[:] & data.IDS).tolist()


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
    assert ids(data, path) == IDS
    assert ids(data, path[:-4] + ".idx") == IDS


@pytest.mark.parametrize("magic, dtype", [(20240520, "<u2"), (20240801, "<u4")])
def test_shard(data, tmp_path, magic, dtype):
    path = tmp_path / "a.bin"
    header = np.zeros(256, "<i4")
    header[:3] = magic, 1, len(IDS)
    path.write_bytes(header.tobytes() + np.array(IDS, dtype).tobytes())
    assert ids(data, path) == IDS


def test_bare(data, tmp_path):
    path = tmp_path / "a.bin"
    np.array(IDS, "<u2").tofile(path)
    assert ids(data, path) == IDS
    np.array(IDS, "<i4").tofile(path)
    with pytest.raises(data.DataError, match="every second"):
        ids(data, path)


def test_documents_begin_where_the_index_says(data, tmp_path):
    path = tmp_path / "a"
    np.arange(9, dtype="<u2").tofile(path.with_suffix(".bin"))
    # Sequences of 2, 3 and 4 ids; the second document starts with the second sequence.
    path.with_suffix(".idx").write_bytes(
        b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, 3, 3) + struct.pack("<3i", 2, 3, 4)
        + struct.pack("<3q", 0, 4, 10) + struct.pack("<3q", 0, 1, 3))
    tokens = opened(data, path.with_suffix(".bin"), None)[:]
    assert np.flatnonzero(tokens & data.STARTS_DOCUMENT).tolist() == [0, 2]


def test_documents_end_with_a_token(data, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([4, 0, 5, 6, 0, 7], "<u2"))
    tokens = opened(data, path, 0)
    assert np.flatnonzero(tokens[:] & data.STARTS_DOCUMENT).tolist() == [0, 2, 5]
    assert np.flatnonzero(tokens[2:6] & data.STARTS_DOCUMENT).tolist() == [0, 3]
    assert not opened(data, path, None).marks_documents


def test_files_are_joined(data, tmp_path):
    parts = [[4, 0, 5], [6], [0, 7, 8]]
    for index, part in enumerate(parts):
        np.save(tmp_path / f"{index}.npy", np.array(part, "<u2"))
    one = data.joined([opened(data, tmp_path / f"{index}.npy", 0) for index in range(3)])
    assert len(one) == 7 and one.marks_documents
    for start in range(8):
        for end in range(start, 8):
            assert (one[start:end] & data.IDS).tolist() == [4, 0, 5, 6, 0, 7, 8][start:end]
