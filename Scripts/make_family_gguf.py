#!/usr/bin/env python3
"""Writes fixtures/gguf/families: models of fixtures/families as llama.cpp's own converter has them.

Run as `.venv/bin/python Scripts/make_family_gguf.py LLAMA_CPP [NAME ...]`, where LLAMA_CPP is a folder
with llama.cpp's sources (the PyPI sdist of llama-cpp-python 0.3.36 has them in `vendor/llama.cpp`).

The numbers that such a file must give are those of its model's folder, by transformers. The models
have no tokenizers, so the converter's part that reads one is left out.
"""

import json
import logging
import pathlib
import shutil
import sys
import tempfile

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"

# Models of which a GGUF file can say everything that their configuration does.
NAMES = """
gemma-default gemma2-heads gemma3-heads gemma3-scaled olmo2-bias olmo3-default olmo3-types olmo3-yarn
smollm3-default granite-factors granite-bias granitehybrid-rope
phi3-default phi3-longrope phi3-short qwen2-yarn qwen3-yarn mixtral-default qwen3moe-normalised
olmoe-default
""".split()


def convert(source: pathlib.Path, target: pathlib.Path) -> None:
    import gguf
    from conversion import ModelBase, get_model_architecture, get_model_class
    from conversion.base import ModelType

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copytree(source, folder, dirs_exist_ok=True)
        config = json.loads((folder / "config.json").read_text())
        if config["model_type"] == "granitemoehybrid":
            # As the published files of Granite 4 without experts and state-space layers say it.
            config["layer_types"] = ["attention"] * config["num_hidden_layers"]
            config["num_experts_per_tok"] = 0
            (folder / "config.json").write_text(json.dumps(config))
        # Gemma 3's converter cuts the embedding to the tokenizer's length.
        vocabulary = {f"<{i}>": i for i in range(config["vocab_size"])}
        stub = {"model": {"vocab": vocabulary}, "added_tokens": []}
        (folder / "tokenizer.json").write_text(json.dumps(stub))
        hparams = ModelBase.load_hparams(folder, False)
        kind = get_model_class(get_model_architecture(hparams, ModelType.TEXT))
        kind.set_vocab = lambda self: None
        model = kind(folder, gguf.LlamaFileType.ALL_F32, target)
        model.write()


def main() -> None:
    sys.path[:0] = [sys.argv[1], sys.argv[1] + "/gguf-py"]
    logging.disable(logging.INFO)
    folder = FIXTURES / "gguf/families"
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or NAMES:
        print(name)
        convert(FIXTURES / "families" / name / "model", folder / f"{name}.gguf")


main()
