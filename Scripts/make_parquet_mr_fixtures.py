#!/usr/bin/env python3
"""Writes fixtures/parquet/by-spark-*.parquet: the rows of others.jsonl, written by parquet-mr, Java's library.

Needs Java 17 and pyspark, which wants an environment of its own (pip install pyspark==4.3.0). With a
folder as argument, also writes files of every codec, version and encoding there, too large to be kept: for
a comparison of what `ckpt` and pyarrow read.
"""

import datetime
import decimal
import json
import pathlib
import random
import shutil
import sys
import tempfile

from pyspark.sql import SparkSession
from pyspark.sql import types as T

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "parquet"
WORDS = "the quick brown fox jumps over é € 😀 lazy dog and then some more".split()
ALL = T.StructType([
    T.StructField("id", T.LongType(), False), T.StructField("text", T.StringType()),
    T.StructField("small", T.IntegerType()), T.StructField("flag", T.BooleanType()),
    T.StructField("double", T.DoubleType()), T.StructField("single", T.FloatType()),
    T.StructField("bytes", T.BinaryType()),
    T.StructField("messages", T.ArrayType(T.StructType([
        T.StructField("role", T.StringType()), T.StructField("content", T.StringType())]))),
    T.StructField("ids", T.ArrayType(T.IntegerType())),
    T.StructField("map", T.MapType(T.StringType(), T.ArrayType(T.LongType()))),
    T.StructField("wide", T.DecimalType(30, 4)), T.StructField("narrow", T.DecimalType(9, 2)),
    T.StructField("day", T.DateType())])


def row(i: int, draw: random.Random) -> tuple:
    text = " ".join(draw.choice(WORDS) for _ in range(draw.randrange(60)))
    return (
        i, None if i % 11 == 3 else text, None if i % 7 == 0 else i % 5 - 2, i % 3 == 0, i / 7, i * 0.5,
        None if i % 5 == 0 else bytes([i % 256, 255, 0]),
        None if i % 13 == 1 else [
            {"role": "user", "content": None if k == 2 and i % 4 == 0 else f"c{i}.{k}"}
            for k in range(i % 4)],
        [k * i for k in range(i % 9)],
        None if i % 8 == 0 else {f"k{k}": [k, None, i] for k in range(i % 3)},
        decimal.Decimal(i * 12345) / 10000 if i % 2 else None, decimal.Decimal(i - 500) / 100,
        datetime.date(2020, 1, 1) + datetime.timedelta(days=i))


def write(frame, path: pathlib.Path, codec: str, version: int, **options: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = frame.coalesce(1).write.mode("overwrite").option("compression", codec)
        writer = writer.option("parquet.writer.version", f"PARQUET_{version}_0")
        for name, value in options.items():
            writer = writer.option(f"parquet.{name.replace('_', '.')}", str(value).lower())
        writer.parquet(folder)
        [part] = pathlib.Path(folder).glob("*.parquet")
        shutil.copy(part, path)


def main() -> None:
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config(
        "spark.driver.host", "127.0.0.1").getOrCreate()
    rows = [json.loads(line) for line in (FOLDER / "others.jsonl").read_text().splitlines()]
    others = spark.createDataFrame([(row["n"], row["text"]) for row in rows], "n long, text string")
    write(others, FOLDER / "by-spark-v1.parquet", "snappy", 1)
    write(others, FOLDER / "by-spark-v2.parquet", "zstd", 2, enable_dictionary=False)
    write(others, FOLDER / "by-spark-lz4.parquet", "lz4", 1, enable_dictionary=False)
    if len(sys.argv) < 2:
        return
    folder, draw = pathlib.Path(sys.argv[1]), random.Random(14)
    folder.mkdir(parents=True, exist_ok=True)
    everything = spark.createDataFrame([row(i, draw) for i in range(3000)], ALL)
    for codec in ["uncompressed", "snappy", "gzip", "zstd", "lz4", "lz4_raw"]:
        for version in [1, 2]:
            for dictionary in [True, False]:
                for page, block in [(1 << 20, 128 << 20), (2000, 60000)]:
                    write(everything, folder / f"{codec}-v{version}-{dictionary}-{page}.parquet", codec,
                          version, enable_dictionary=dictionary, page_size=page, block_size=block)
    write(everything, folder / "split.parquet", "zstd", 2, enable_dictionary=False,
          enable_bytestreamsplit=True)


if __name__ == "__main__":
    main()
