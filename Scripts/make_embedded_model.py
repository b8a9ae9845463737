#!/usr/bin/env python3
"""Makes `fixtures/tiny-arithmetic` and the texts beside it: trains, measures and saves the model.

    pip install torch transformers tokenizers safetensors
    nice Scripts/make_embedded_model.py     # about 15 minutes on one core; --measure-only: one

Everything is seeded and runs on one thread, so the same versions give the same files.
"""

import json
import math
import random
import shutil
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

import embedded_text

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
FOLDER = FIXTURES / "tiny-arithmetic"
BEGIN, END = "<|begin|>", "<|end|>"
SEED = 74
STEPS, BATCH, LENGTH = 2400, 8, 256
TRAINING_BYTES, CORPUS_BYTES, HELD_OUT_BYTES = 8_000_000, 380_000, 48_000

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "head_dim": 16,
    "hidden_act": "silu",
    "hidden_size": 96,
    "initializer_range": 0.05,
    "intermediate_size": 160,
    "max_position_embeddings": 512,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 6,
    "num_hidden_layers": 12,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 384,
}


def train_tokenizer(text: str) -> Tokenizer:
    """Byte-level BPE with digits kept apart, as SmolLM2's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=CONFIG["vocab_size"],
        special_tokens=[BEGIN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    # A prompt starts where a document does; else "3+4=" might be the end of "13+4=".
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, 0)]
    )
    return tokenizer


def training_tokens(tokenizer: Tokenizer, text: str) -> torch.Tensor:
    """Documents of 4 to 40 lines, each between the begin and the end token, in one row."""
    r = random.Random(SEED)
    lines = text.splitlines(keepends=True)
    ids, at = [], 0
    while at < len(lines):
        count = r.randrange(4, 41)
        document = "".join(lines[at : at + count])
        ids += [*tokenizer.encode(document).ids, 1]
        at += count
    return torch.tensor(ids)


def train(tokens: torch.Tensor) -> LlamaForCausalLM:
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(LlamaConfig(**CONFIG)).float()
    body = [p for p in model.model.layers.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if not any(p is q for q in body)]
    optimizers = [
        torch.optim.Muon(body, lr=6e-3, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=6e-3, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, learning_rate_factor) for o in optimizers]
    begin = time.monotonic()
    for step in range(1, STEPS + 1):
        starts = torch.randint(0, len(tokens) - LENGTH, (BATCH,))
        rows = torch.stack([tokens[s : s + LENGTH + 1] for s in starts])
        logits = model(rows[:, :-1], use_cache=False).logits
        loss = cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        if step % 50 == 0:
            seconds = time.monotonic() - begin
            print(f"step {step:5d}  loss {loss.item():.4f}  {seconds:6.0f} s", flush=True)
    return model


def learning_rate_factor(step: int) -> float:
    """Warm-up over 5 % of the run, then constant, then linear to zero over the last 40 %."""
    share = step / STEPS
    return min(share / 0.05, 1.0, (1.0 - share) / 0.4)


def held_out_loss(model: LlamaForCausalLM, ids: list[int]) -> float:
    """Mean negative log-likelihood in nats over consecutive windows of LENGTH tokens."""
    count = len(ids) // LENGTH
    rows = torch.tensor(ids[: count * LENGTH]).view(count, LENGTH)
    with torch.no_grad():
        logits = model(rows[:, :-1]).logits
    return cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten()).item()


def unigram_loss(tokens: torch.Tensor, ids: list[int]) -> float:
    """The same in a model of token frequencies in the training text (add-one smoothing)."""
    counts = torch.bincount(tokens, minlength=CONFIG["vocab_size"]).double() + 1
    log_probability = (counts / counts.sum()).log()
    return -log_probability[torch.tensor(ids)].mean().item()


def exact_match(model: LlamaForCausalLM, tokenizer: Tokenizer, mark: str, text: str) -> list[int]:
    """How many distinct two-term problems of `text` greedy decoding solves, and of how many."""
    lines = dict.fromkeys(text.splitlines())
    problems = [line for line in lines if line.count(mark) == 1 and line.count("=") == 1]
    solved = 0
    for line in problems:
        prompt, answer = line.split("=")
        ids = tokenizer.encode(prompt + "=").ids
        with torch.no_grad():
            for _ in range(len(answer)):
                ids.append(model(torch.tensor([ids])).logits[0, -1].argmax().item())
        solved += tokenizer.decode(ids) == line
    return [solved, len(problems)]


def save(model: LlamaForCausalLM, tokenizer: Tokenizer) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    state = {
        name: tensor.to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    save_file(state, FOLDER / "model.safetensors", metadata={"format": "pt"})
    (FOLDER / "model.safetensors").chmod(0o644)
    tokenizer.save(str(FOLDER / "tokenizer.json"))
    tokens = {"bos_token": BEGIN, "eos_token": END, "pad_token": END}
    write_json("config.json", CONFIG)
    write_json(
        "generation_config.json",
        {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1},
    )
    write_json("special_tokens_map.json", tokens)
    write_json(
        "tokenizer_config.json",
        {
            "add_bos_token": True,
            "add_eos_token": False,
            **tokens,
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONFIG["max_position_embeddings"],
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )


def write_json(name: str, value: dict) -> None:
    (FOLDER / name).write_text(json.dumps(value, indent=2) + "\n")


def measure(tokens: torch.Tensor, held_out: str) -> dict:
    """All figures of the card, from the saved bfloat16 weights as a stranger would load them."""
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER).backend_tokenizer
    ids = tokenizer.encode(held_out, add_special_tokens=False).ids
    state = load_file(FOLDER / "model.safetensors")
    sums, sum_count = exact_match(model, tokenizer, "+", held_out)
    differences, difference_count = exact_match(model, tokenizer, "-", held_out)
    return {
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "held_out_tokens": len(ids),
        "window": LENGTH,
        "loss": held_out_loss(model, ids),
        "unigram_loss": unigram_loss(tokens, ids),
        "chance_loss": math.log(CONFIG["vocab_size"]),
        "sums_solved": sums,
        "sums": sum_count,
        "differences_solved": differences,
        "differences": difference_count,
    }


CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
language: en
---

# tiny-arithmetic

A Llama-family model of {parameters:,} parameters (12 layers, hidden size 96, 6 heads of 16 with 2 for
keys and values, tied head, bfloat16), trained from scratch by `Scripts/make_embedded_model.py` of the
`ckpt` project on generated arithmetic and short English sentences. It exists so that the project's
demo and tests have a model that has really learned something. Lines of its training text:

    12+7=19.
    41 is less than 63.
    Count: 10, 15, 20, 25.
    Tom has 3 apples. Tom finds 4 more. Now Tom has 7 apples.
    The small dog sees a red fox near the river.

Terms of sums and differences are below {limit}. The tokenizer is byte-level BPE with {vocabulary} tokens that
keeps digits apart.

## Measured

On `fixtures/text/heldout.txt`, {held_out_tokens:,} tokens in windows of {window}; none of its lines was trained on.
Most of the loss that is left is the choice of the numbers and words, which nothing can foresee.

| | nats per token |
|---|---|
| this model | {loss:.3f} |
| unigram model of the training text | {unigram_loss:.3f} |
| chance | {chance_loss:.3f} |

Greedy decoding, exact match, each problem after the begin token alone, on the distinct
two-term problems of that text:

| | solved |
|---|---|
| sums | {sums_solved} of {sums} ({sum_rate:.1%}) |
| differences | {differences_solved} of {differences} ({difference_rate:.1%}) |

## Training

{steps:,} steps of {batch} × {length} tokens in float32 on one core: Muon for the matrices of the blocks, AdamW
for the rest, peak learning rate 6e-3, warm-up 5 %, linear decay over the last 40 %, seed {seed}.

Licence: Apache 2.0. It knows nothing but the above.
"""


def write_card(figures: dict) -> None:
    card = CARD.format(
        **figures,
        sum_rate=figures["sums_solved"] / figures["sums"],
        difference_rate=figures["differences_solved"] / figures["differences"],
        limit=embedded_text.LIMIT,
        vocabulary=CONFIG["vocab_size"],
        steps=STEPS,
        batch=BATCH,
        length=LENGTH,
        seed=SEED,
    )
    (FOLDER / "README.md").write_text(card)
    shutil.copy(FIXTURES.parent / "LICENSE", FOLDER / "LICENSE")
    (FIXTURES / "text/figures.json").write_text(json.dumps(figures, indent=2) + "\n")


def main() -> None:
    torch.set_num_threads(1)
    text = embedded_text.text(1, held_out=False, byte_count=TRAINING_BYTES)
    held_out = embedded_text.text(2, held_out=True, byte_count=HELD_OUT_BYTES)
    corpus = embedded_text.text(3, held_out=False, byte_count=CORPUS_BYTES)
    (FIXTURES / "text").mkdir(parents=True, exist_ok=True)
    (FIXTURES / "text/heldout.txt").write_text(held_out)
    (FIXTURES / "text/corpus.txt").write_text(corpus)
    tokenizer = train_tokenizer(text[:1_000_000])
    tokens = training_tokens(tokenizer, text)
    if "--measure-only" not in sys.argv:
        save(train(tokens), tokenizer)
    write_card(measure(tokens, held_out))
    size = sum(file.stat().st_size for file in FOLDER.iterdir())
    assert size <= 2 << 20, f"{FOLDER} holds {size} bytes, at most 2 MiB allowed"


if __name__ == "__main__":
    main()
