"""Padding, caches and generation of exported models."""

import json
import shutil

import pytest
import torch
from transformers import AutoTokenizer, DynamicCache

FAMILIES = ["tiny-llama", "tiny-olmo2", "tiny-qwen2", "tiny-qwen3"]
CLOSE = 1e-5


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(side, attention, folder, load, tokens, distance):
    """Each padded row has the logits that it has by itself."""
    model = load(folder("tiny-llama"), attn_implementation=attention)
    ids = tokens(model, batch=3)
    lengths = [12, 7, 3]
    mask = torch.zeros_like(ids)
    padded = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        place = slice(12 - length, 12) if side == "left" else slice(0, length)
        padded[row, place] = ids[row, :length]
        mask[row, place] = 1
    with torch.no_grad():
        together = model(padded, attention_mask=mask, num_steps=3).logits
        assert together.isfinite().all()
        for row, length in enumerate(lengths):
            alone = model(ids[row : row + 1, :length], num_steps=3).logits[0]
            assert distance(together[row][mask[row].bool()], alone) < CLOSE


@pytest.mark.parametrize("name", FAMILIES)
def test_cached_decoding_is_the_whole_pass(name, folder, load, tokens, distance):
    """Token by token, and in pieces."""
    model = load(folder(name))
    ids = tokens(model)
    with torch.no_grad():
        whole = model(ids, num_steps=3).logits
        for pieces in ([1] * 12, [5, 1, 6]):
            cache, logits = None, []
            for piece in ids.split(pieces, dim=1):
                output = model(piece, past_key_values=cache, use_cache=True, num_steps=3)
                cache = output.past_key_values
                logits.append(output.logits)
            assert distance(torch.cat(logits, dim=1), whole) < CLOSE
            assert cache.get_seq_length() == 12


def test_a_cache_has_a_place_for_every_execution(folder, load, tokens):
    """p + c·r + d of them; it belongs to one number of passes."""
    model = load(folder("tiny-llama"))
    ids = tokens(model)
    with torch.no_grad():
        for r in (1, 2, 5):
            cache = model(ids, num_steps=r, use_cache=True).past_key_values
            assert len(cache) == 2 + 3 * r + 2
        with pytest.raises(ValueError, match="19 executions of a block; 2 passes need 10"):
            model(ids[:, :1], past_key_values=cache, num_steps=2)
        given = DynamicCache()
        model(ids, past_key_values=given, num_steps=2)
        assert len(given) == 10


@pytest.mark.parametrize("name", FAMILIES)
def test_generation_with_and_without_cache(name, folder, load, tokens):
    """Greedy continuations of a left-padded batch are those of each row, at any r."""
    model = load(folder(name))
    ids = tokens(model, batch=2, length=8)
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    common = dict(do_sample=False, max_new_tokens=6, pad_token_id=0, eos_token_id=None)
    continuations = []
    for r in (1, 4):
        cached = model.generate(ids, attention_mask=mask, num_steps=r, **common)
        plain = model.generate(ids, attention_mask=mask, num_steps=r, use_cache=False, **common)
        assert torch.equal(cached, plain)
        row = ids[1:, 3:].repeat(2, 1)
        alone = model.generate(row, attention_mask=torch.ones_like(row), num_steps=r, **common)
        assert torch.equal(cached[1, 8:], alone[1, 5:])
        continuations.append(cached[:, 8:])
    assert continuations[0].shape == (2, 6)


def test_beams_and_samples(folder, load, tokens):
    """Caches follow their beams; sampling repeats under a seed."""
    model = load(folder("tiny-qwen2", "--adapter", "uniform", "--state", "zero"))
    ids = tokens(model)
    common = dict(
        attention_mask=torch.ones_like(ids), max_new_tokens=5, pad_token_id=0, eos_token_id=None
    )
    beams = [
        model.generate(ids, num_beams=3, do_sample=False, num_steps=2, use_cache=cached, **common)
        for cached in (True, False)
    ]
    assert torch.equal(*beams)
    samples = []
    for _ in range(2):
        torch.manual_seed(3)
        samples.append(model.generate(ids, do_sample=True, num_steps=2, **common))
    assert torch.equal(*samples)


def test_greedy_text_is_that_of_ckpt(ckpt, export, load, package, trained):
    """The tokenizer, the defaults and the numbers of a trained package arrive."""
    folder = export(trained)
    model, tokenizer = load(folder), AutoTokenizer.from_pretrained(folder)
    for prompt in ("12+7=", "The small dog"):
        for r in (1, 4):
            inputs = tokenizer(prompt, return_tensors="pt")
            output = model.generate(**inputs, num_steps=r, max_new_tokens=12, do_sample=False)
            new = output[0][inputs["input_ids"].shape[1] :]
            text = tokenizer.decode(new, skip_special_tokens=True)
            options = ("--recurrence", r, "--max-tokens", 12, "--progress", "none")
            found = ckpt("generate", folder, "--prompt", prompt, *options)
            assert found.rstrip("\n") == text.rstrip("\n")


TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def test_the_chat_template(ckpt, export, retrofit, load, tiny_arithmetic, tmp_path):
    """That of the source arrives, and both fill it in alike."""
    source = tmp_path / "source"
    shutil.copytree(tiny_arithmetic, source)
    file = source / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"chat_template": TEMPLATE}))
    folder = export(retrofit(source, "--prelude", 2, "--core", 4, "--coda", 2))
    model, tokenizer = load(folder), AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "12+7="}], add_generation_prompt=True, return_tensors="pt",
        return_dict=True)
    output = model.generate(**inputs, num_steps=2, max_new_tokens=12, do_sample=False)
    options = ("--chat", "--recurrence", 2, "--max-tokens", 12)
    wanted = ckpt.json("generate", folder, "--prompt", "12+7=", *options)
    assert wanted["prompt_tokens"] == inputs["input_ids"].shape[1]
    assert output[0][inputs["input_ids"].shape[1] :].tolist()[: len(wanted["ids"])] == wanted["ids"]


def test_a_row_is_what_it_is_in_any_batch(folder, load, tokens, distance):
    """The start is drawn by position: beside other rows, packed, and where rows are alike."""
    model = load(folder("tiny-llama"))
    ids = tokens(model, batch=3)
    with torch.no_grad():
        alone = [model(row[None], num_steps=3).logits[0] for row in ids]
        together = model(ids, num_steps=3).logits
        packed = model(
            ids.reshape(1, -1), position_ids=torch.arange(12).repeat(1, 3), num_steps=3).logits
        for row in range(3):
            assert distance(together[row], alone[row]) < CLOSE
            assert distance(packed[0, 12 * row : 12 * row + 12], alone[row]) < CLOSE
        alike = model(ids[:1].expand(3, -1), num_steps=3).logits
        assert distance(alike[2], alike[0]) < CLOSE


def test_starts_of_the_state(folder, load, tokens):
    """0 in evaluation; in training a new seed from torch's generator, and rows differ, but not where
    the loss is measured; a start that is given."""
    model = load(folder("tiny-llama"))
    ids = tokens(model)
    alike = ids[:1].expand(2, -1)
    model.train()
    first, second = model(alike, state_seed=0).logits.detach()
    assert not torch.allclose(first, second, rtol=1e-3)
    with torch.no_grad():
        assert torch.allclose(*model(alike, state_seed=0).logits, rtol=1e-4)
        model.eval()
        first = model(ids).logits
        assert torch.equal(first, model(ids, state_seed=0).logits)
        assert not torch.equal(first, model(ids, state_seed=2**63 + 1).logits)
        model.train()
        torch.manual_seed(7)
        drawn = model(ids).logits
        assert not torch.equal(drawn, model(ids).logits)
        torch.manual_seed(7)
        assert torch.equal(drawn, model(ids).logits)
        with pytest.raises(ValueError, match="initial_state is"):
            model(ids, initial_state=torch.zeros(2, 3, 32))


def test_logits_of_the_last_tokens(folder, load, tokens):
    """What generation asks for, and embeddings instead of tokens."""
    model = load(folder("tiny-llama"))
    ids = tokens(model)
    with torch.no_grad():
        whole = model(ids).logits
        assert torch.equal(model(ids, logits_to_keep=2).logits, whole[:, -2:])
        assert torch.equal(model(inputs_embeds=model.get_input_embeddings()(ids)).logits, whole)
        assert torch.equal(model(ids, return_dict=False)[0], whole)
