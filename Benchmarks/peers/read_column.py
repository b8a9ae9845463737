"""Reads one column of strings of a Parquet file on one thread; prints megabytes a second as JSON.

    read_column.py FILE COLUMN
"""

import json
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

pa.set_cpu_count(1)
pa.set_io_thread_count(1)


def main(path: str, column: str) -> None:
    start = time.perf_counter()
    file = pq.ParquetFile(path)
    count = size = 0
    for group in range(file.num_row_groups):
        strings = file.read_row_group(group, columns=[column], use_threads=False)[column]
        count += len(strings)
        size += pc.sum(pc.binary_length(strings)).as_py()
    speed = size / 1e6 / (time.perf_counter() - start)
    print(json.dumps({"strings": count, "megabytes_per_second": speed}))


main(*sys.argv[1:])
