#!/usr/bin/env python3
"""Writes fixtures/eval: questions and documents for the shipped model, and what transformers makes of
them, in float32 and without batches, masks or caches of ours.

    python3 Scripts/make_eval_fixtures.py
"""

import json
import pathlib
import random

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "fixtures" / "tiny-arithmetic"
OUT = ROOT / "fixtures" / "eval"
WINDOW = 48
# First and last layer, passes, damping.
LOOPS = [(1, 1, 2, 0.5), (2, 5, 4, 0.25), (4, 9, 3, 1.0), (1, 10, 8, 0.125), (3, 3, 1, 1.0)]


def write(name, records):
    lines = [json.dumps(record, ensure_ascii=False) for record in records]
    (OUT / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def sums(rng):
    """Sums that the model mostly solves, some with a wrong answer given, so that not all are right."""
    records = []
    for i in range(24):
        a, b = rng.randrange(1, 60), rng.randrange(1, 40)
        answer = a + b + (1 if i % 6 == 5 else 0)
        text = f"{a} and {b} make {answer}.\n#### {answer}" if i % 2 else str(answer)
        records.append({"question": f"{a}+{b}=", "answer": text, "value": answer})
    return records


def choices(rng):
    """Choices of different lengths, the right one named by index, by label and by text."""
    records = []
    for i in range(24):
        a, b = rng.randrange(1, 60), rng.randrange(1, 40)
        options = [f"{a + b}", f"{a + b + 10}. Ünd", f"{abs(a - b)} or so", "nothing at all"]
        order = list(range(4))
        rng.shuffle(order)
        texts = [options[j] for j in order]
        right = order.index(rng.choice([0, 0, 1, 2]))
        answer = [right, "ABCD"[right], texts[right]][i % 3]
        records.append({"question": f"{a}+{b}=", "choices": texts, "answer": answer, "right": right})
    return records


def documents(rng):
    text = (ROOT / "fixtures/text/heldout.txt").read_text(encoding="utf-8").splitlines()
    records, start = [], 0
    while len(records) < 12:
        count = rng.randrange(1, 9)
        records.append({"text": "\n".join(text[start : start + count])})
        start += count
    return records


def log_probabilities(model, ids):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)


def score_choices(model, tokenizer, records):
    hits = {"acc": 0, "acc_norm": 0, "acc_bytes": 0}
    likelihoods = []
    for record in records:
        sums = []
        context = tokenizer.encode(record["question"])
        for choice in record["choices"]:
            ids = tokenizer.encode(record["question"] + " " + choice)
            scores = log_probabilities(model, ids)
            sums.append(sum(scores[i - 1, ids[i]].item() for i in range(len(context), len(ids))))
        likelihoods.append(sums)
        lengths = {
            "acc": [1] * 4,
            "acc_norm": [len(choice) for choice in record["choices"]],
            "acc_bytes": [len(choice.encode()) for choice in record["choices"]],
        }
        for name, length in lengths.items():
            normed = [value / n for value, n in zip(sums, length)]
            hits[name] += normed.index(max(normed)) == record["right"]
    return hits, likelihoods


def answer_sums(model, tokenizer, records, most=6):
    answers, hits = [], 0
    for record in records:
        ids = tokenizer.encode(record["question"])
        start = len(ids)
        for _ in range(most):
            ids.append(int(log_probabilities(model, ids)[-1].argmax()))
            if tokenizer.decode(ids[start:]).find(".") >= 0:
                break
        text = tokenizer.decode(ids[start:]).split(".")[0]
        answers.append(text)
        digits = "".join(c if c.isdigit() else " " for c in text).split()
        hits += bool(digits) and int(digits[-1]) == record["value"]
    return hits, answers


def pieces(tokenizer, records):
    """Windows over the documents' tokens: each document's part of each window."""
    stream = [(i, t) for i, r in enumerate(records) for t in tokenizer.encode(r["text"], add_special_tokens=False)]
    for start in range(0, len(stream), WINDOW):
        window = stream[start : start + WINDOW]
        for document in sorted({i for i, _ in window}):
            ids = [t for i, t in window if i == document]
            if len(ids) > 1:
                yield ids


def mean_loss(tokenizer, records, scores_of):
    """Every part by itself; the loss of a token, and how many there are."""
    total, count = 0.0, 0
    for ids in pieces(tokenizer, records):
        scores = scores_of(ids)
        total -= sum(scores[i - 1, ids[i]].item() for i in range(1, len(ids)))
        count += len(ids) - 1
    return total / count, count


def looped_loss(model, tokenizer, records, first, last, passes, damping):
    """The same documents with layers `first` to `last` looped: s <- s + damping * (F(s) - s)."""
    layers, base = model.model.layers, model.model

    def run(state, which, arguments):
        for i in which:
            state = layers[i](state, **arguments)
        return state

    @torch.no_grad()
    def scores_of(ids):
        state = base.embed_tokens(torch.tensor([ids]))
        positions = torch.arange(len(ids))[None]
        mask = torch.full((len(ids), len(ids)), float("-inf")).triu(1)[None, None]
        arguments = {
            "attention_mask": mask,
            "position_ids": positions,
            "position_embeddings": base.rotary_emb(state, positions),
        }
        state = run(state, range(first), arguments)
        for _ in range(passes):
            state = state + damping * (run(state, range(first, last + 1), arguments) - state)
        state = run(state, range(last + 1, len(layers)), arguments)
        return torch.log_softmax(model.lm_head(base.norm(state))[0].double(), -1)

    loss, _ = mean_loss(tokenizer, records, scores_of)
    return {"first": first, "last": last, "passes": passes, "damping": damping, "loss": loss}


def prompts(rng):
    """Sums and counts after their prompts; some completions are wrong, so that not all are exact."""
    records = []
    for i in range(24):
        a, b = rng.randrange(1, 60), rng.randrange(1, 40)
        answer = a + b + (1 if i % 5 == 4 else 0)
        if i % 4 == 3:
            prompt, completion, kind = f"Count: {a}, {a + 1},", f" {a + 2}, {a + 3}.", "count"
        else:
            prompt, completion, kind = f"{a}+{b}=", f"{answer}.", "sum"
        records.append({"prompt": prompt, "completion": completion, "kind": kind, "digits": len(str(answer))})
    return records


def score_completions(model, tokenizer, records):
    """Each document by itself between the begin and an end token; the completion and the end count. The
    end is a line break: the shipped model ends lines, and its texts much later."""
    figures = []
    end = tokenizer.encode("\n", add_special_tokens=False)[0]
    for record in records:
        prompt = tokenizer.encode(record["prompt"])
        ids = [*tokenizer.encode(record["prompt"] + record["completion"]), end]
        assert ids[: len(prompt)] == prompt, "the completion starts with a token of its own"
        scores = log_probabilities(model, ids)
        own = range(len(prompt), len(ids))
        figures.append(
            {
                "nats": -sum(scores[i - 1, ids[i]].item() for i in own),
                "exact": int(all(int(scores[i - 1].argmax()) == ids[i] for i in own)),
                "tokens": len(own),
            }
        )
    return {"end": end, "scores": figures}


def main():
    rng = random.Random(5)
    OUT.mkdir(exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(
        MODEL, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    questions, options, texts = sums(rng), choices(rng), documents(rng)
    right, answers = answer_sums(model, tokenizer, questions)
    hits, likelihoods = score_choices(model, tokenizer, options)
    loss, count = mean_loss(tokenizer, texts, lambda ids: log_probabilities(model, ids))
    completions = prompts(rng)
    write("completions.jsonl", completions)
    write("sums.jsonl", questions)
    write("choices.jsonl", options)
    write("documents.jsonl", texts)
    figures = {
        "sums": {"right": right, "answers": answers},
        "choices": {**hits, "log_likelihoods": likelihoods},
        "completions": score_completions(model, tokenizer, completions),
        "documents": {"window": WINDOW, "loss": loss, "tokens": count},
        "loops": [looped_loss(model, tokenizer, texts, *loop) for loop in LOOPS],
    }
    (OUT / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(right, hits, loss, count)


main()
