#!/usr/bin/env python3
"""Writes fixtures/data/: the same documents in every format, by programs that are not this one.

  texts.*, saved    a column of text beside a number, one value with quotes, line ends and many alphabets
  sums/        two shards of a data set, of sums as the shipped model knows them
  chats.*      conversations: messages, and turns in ShareGPT's layout
"""

import csv
import gzip
import io
import json
import pathlib
import shutil
import tarfile

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "data"
TEXTS = ["Plain words.", 'A "quoted", comma\nand a second line', "naïve 字 🙂", "", "tab\there"]
CHATS = [[{"role": "user", "content": f"{i}+{i}?"}, {"role": "assistant", "content": f"{2 * i}."}]
         for i in range(4)]


def jsonl(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_sums(random: np.random.Generator, rows: int = 300) -> None:
    (FOLDER / "sums").mkdir(exist_ok=True)
    for shard in range(2):
        pairs = random.integers(0, 50, (rows, 12, 2))
        texts = [" ".join(f"{a}+{b}={a + b}." for a, b in row) for row in pairs]
        table = pa.table({"id": pa.array(range(shard * rows, (shard + 1) * rows)), "text": texts})
        pq.write_table(table, FOLDER / "sums" / f"train-{shard:05}-of-00002.parquet",
                       row_group_size=100, compression="zstd")


def write_tar(rows: list[dict]) -> None:
    with tarfile.open(FOLDER / "texts.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for row in rows:
            for ending, content in [("cls", b"7"), ("txt", row["text"].encode())]:
                member = tarfile.TarInfo(f"train/{row['id']:06}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [{"id": i, "text": text} for i, text in enumerate(TEXTS)]
    (FOLDER / "texts.jsonl").write_text(jsonl(rows))
    (FOLDER / "texts.json").write_text(json.dumps(rows, indent=1))
    (FOLDER / "texts.json.gz").write_bytes(gzip.compress(jsonl(rows).encode(), mtime=0))
    for ending, separator in [("csv", ","), ("tsv", "\t")]:
        with open(FOLDER / f"texts.{ending}", "w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "text"], delimiter=separator)
            writer.writeheader()
            writer.writerows(rows)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, FOLDER / "texts.parquet", row_group_size=2, compression="zstd")
    with pa.ipc.new_file(FOLDER / "texts.arrow", table.schema) as writer:
        writer.write_table(table)
    shutil.rmtree(FOLDER / "saved", ignore_errors=True)
    saved = datasets.Dataset.from_list(rows)
    datasets.DatasetDict({"train": saved, "test": saved.select([0])}).save_to_disk(
        FOLDER / "saved", num_shards={"train": 2, "test": 1})
    write_sums(np.random.default_rng(14))
    write_tar(rows)
    (FOLDER / "chats.jsonl").write_text(jsonl([{"messages": chat} for chat in CHATS]))
    names = {"user": "human", "assistant": "gpt"}
    turns = [{"conversations": [{"from": names[m["role"]], "value": m["content"]} for m in chat]}
             for chat in CHATS]
    (FOLDER / "chats-sharegpt.json").write_text(json.dumps(turns))
    pq.write_table(pa.Table.from_pylist([{"prompt": c[0]["content"], "messages": c} for c in CHATS]),
                   FOLDER / "chats-ultrachat.parquet")
    alpaca = [{"instruction": c[0]["content"], "input": "", "output": c[1]["content"]}
              for c in CHATS]
    (FOLDER / "chats-alpaca.json").write_text(json.dumps(alpaca))


main()
