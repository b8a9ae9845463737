"""Encodes a file with the package tokenizers on one thread; prints megabytes a second as JSON.

    encode.py TOKENIZER.json TEXT
"""

import json
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tokenizers import Tokenizer  # noqa: E402

tokenizer = Tokenizer.from_file(sys.argv[1])
data = open(sys.argv[2], "rb").read()
text = data.decode("utf-8", "replace")
tokenizer.encode(text[:1000], add_special_tokens=False)
start = time.perf_counter()
ids = tokenizer.encode(text, add_special_tokens=False).ids
seconds = time.perf_counter() - start
print(json.dumps({"megabytes_per_second": len(data) / 1e6 / seconds, "tokens": len(ids)}))
