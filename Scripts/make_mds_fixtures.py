#!/usr/bin/env python3
"""Writes fixtures/data/mds*: the documents of texts.jsonl as MosaicML's streaming writes them.

Needs mosaicml-streaming, which wants older packages than the other oracles: give it an environment of
its own (pip install mosaicml-streaming==0.13.0).
"""

import json
import pathlib
import shutil

import numpy as np
from streaming import MDSWriter

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "data"


def write(name: str, columns: dict[str, str], rows: list[dict], **options) -> None:
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    with MDSWriter(out=str(FOLDER / name), columns=columns, **options) as writer:
        for row in rows:
            writer.write(row)


def main() -> None:
    rows = [json.loads(line) for line in (FOLDER / "texts.jsonl").read_text().splitlines()]
    columns = {"id": "int", "text": "str"}
    # Two shards.
    write("mds", columns, rows, size_limit=220)
    write("mds-zstd", columns, rows, compression="zstd:7")
    write("mds-more", {"id": "uint16", "meta": "json", "text": "str", "image": "bytes"}, [
        row | {"meta": {"n": [row["id"]]}, "image": b"\x00\x01"} for row in rows])
    for name, encoding in [("mds-ids", "ndarray:uint16"), ("mds-ids-fixed", "ndarray:int32:3"),
                           ("mds-ids-free", "ndarray")]:
        dtype = encoding.split(":")[1] if ":" in encoding else "int64"
        write(name, {"input_ids": encoding}, [
            {"input_ids": np.array([i, 7, 200 + i], dtype)} for i in range(4)])


if __name__ == "__main__":
    main()
