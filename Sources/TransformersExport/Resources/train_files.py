"""The files that a source of data stands for, in the order in which `ckpt train` reads them."""

import errno
import glob
import json
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from train_errors import INPUT_OUTPUT, MALFORMED, UNSUPPORTED, USAGE, DataError
from train_kinds import TOKEN_KINDS, kind_of, named_kind

DESCRIPTIONS = {
    "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "index.json",
    "README.md", "README.txt", "LICENSE.txt", "LICENSE.md"}
DEPTH = 16  # folders within folders that are looked into


@dataclass(frozen=True)
class DataFile:
    path: str
    kind: str


def split(source: str) -> tuple[str, float]:
    """`PATH` or `PATH:WEIGHT`; a path that exists as it stands has weight 1."""
    path, colon, text = source.rpartition(":")
    if not colon or os.path.exists(source):
        return source, 1.0
    try:
        weight = float(text)
    except ValueError:
        weight = 0
    if not 0 < weight < math.inf:
        raise DataError(f'{source}: "{text}" is not a positive weight', "data.bad_weight", USAGE)
    return path, weight


def files_of(source: str, form: str) -> list[DataFile]:
    """A file, the files in a folder, or those that a pattern fits; all hold documents, or all ids.

    `form` says what each holds; `auto` lets its content say it.
    """
    files = [DataFile(path, kind_of(path) if form == "auto" else form) for path in _paths(source)]
    if not files:
        raise DataError(f"{source}: there is no data file", "data.no_files", INPUT_OUTPUT)
    for file in files:
        if (file.kind in TOKEN_KINDS) != (files[0].kind in TOKEN_KINDS):
            raise DataError(f"{source}: token ids and documents cannot be one source: see "
                            f"{file.path}", "data.mixed_source", UNSUPPORTED)
    return files


def _paths(source: str) -> list[str]:
    if os.path.isdir(source):
        return _in_folder(source)
    if os.path.exists(source):
        return [source]
    if not glob.has_magic(source):
        raise FileNotFoundError(errno.ENOENT, "", source)
    found = sorted(glob.glob(source), key=os.fsencode)
    return [x for path in found for x in (_in_folder(path) if os.path.isdir(path) else [path])]


def _in_folder(folder: str) -> list[str]:
    """Files below a folder whose names say that they are data, by the bytes of their names."""
    listed = _saved(folder)
    if listed is not None:
        return listed
    found, pending = [], [(folder, 0)]
    while pending:
        path, depth = pending.pop()
        for entry in os.scandir(path):
            if entry.name.startswith("."):
                continue
            full = os.path.join(path, entry.name)
            if entry.is_dir():
                if depth < DEPTH:
                    pending.append((full, depth + 1))
            # An index goes with the tokens beside it.
            elif named_kind(entry.name) not in (None, "megatron") and (
                    entry.name not in DESCRIPTIONS):
                found.append(full)
    # The hub's names for parts of a split: train-00000-of-00002.parquet.
    matches = [re.match(r"(.+)-\d{5}-of-\d{5}\.", Path(path).name) for path in found]
    _require_one_split(folder, sorted({match[1] + "-*" for match in matches if match}))
    return sorted(found, key=os.fsencode)


def _saved(folder: str) -> list[str] | None:
    """The files that `save_to_disk` of `datasets` lists; None where it has saved nothing."""
    splits = _description(folder, "dataset_dict.json").get("splits")
    if splits is not None:
        _require_one_split(folder, splits, most=0)
    listed = _description(folder, "state.json").get("_data_files")
    if listed is None:
        return None
    names = [entry.get("filename") for entry in listed]
    for name in names:
        if not name or "/" in name or not os.path.isfile(os.path.join(folder, name)):
            raise DataError(f"{folder}/state.json: it lists a file that is not there: {name}",
                            "data.bad_description")
    return [os.path.join(folder, name) for name in names]


def _description(folder: str, name: str) -> dict:
    path = Path(folder, name)
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}", "data.bad_description", MALFORMED) from None
    return value if isinstance(value, dict) else {}


def _require_one_split(folder: str, names: list[str], most: int = 1) -> None:
    if len(names) > most:
        raise DataError(f"{folder}: it holds several splits: {', '.join(names)}; name one of them",
                        "data.several_splits", UNSUPPORTED)
