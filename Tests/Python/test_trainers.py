"""Programs that train and run models of transformers, on an exported folder as they come."""

import math

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

ROWS = [f"{a}+{b}={a + b}. " for a in range(2, 10) for b in range(1, 5)]


@pytest.fixture(scope="module")
def folder(ckpt, package, tmp_path_factory):
    """The shipped model's package of mean recurrence 4, exported."""
    path = tmp_path_factory.mktemp("trainers") / "model"
    ckpt("export", package, "--to", "transformers", "--dtype", "f32", "-o", path)
    return path


@pytest.fixture
def model(folder):
    """It in float32, with a start that no seed changes."""
    return AutoModelForCausalLM.from_pretrained(
        folder, trust_remote_code=True, dtype=torch.float32, state_init="zero"
    )


@pytest.fixture(scope="module")
def tokenizer(folder):
    """Its tokenizer."""
    return AutoTokenizer.from_pretrained(folder)


def supervised(model, tokenizer, folder, **settings):
    """TRL's trainer on the sums, with its defaults but for what keeps it small, after two steps."""
    from trl import SFTConfig, SFTTrainer

    arguments = SFTConfig(
        output_dir=str(folder), max_steps=2, logging_steps=1, per_device_train_batch_size=4,
        report_to=[], use_cpu=True, bf16=False, disable_tqdm=True, save_strategy="no", **settings)
    trainer = SFTTrainer(
        model=model, args=arguments, processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"text": ROWS}))
    trainer.train()
    return trainer


def loss_of(model, tokenizer, texts):
    """The definition: the mean of the tokens' negative log likelihoods, a row at a time."""
    total = count = 0
    with torch.no_grad():
        for text in texts:
            # The trainer puts the end's token behind every row.
            ids = torch.tensor([tokenizer(text)["input_ids"] + [tokenizer.eos_token_id]])
            rows = model(ids).logits[0, :-1].log_softmax(-1)
            total -= float(rows.gather(1, ids[0, 1:, None]).sum())
            count += ids.shape[1] - 1
    return total / count


@pytest.mark.parametrize("packing", [False, True])
def test_trl(packing, model, tokenizer, ckpt, tmp_path):
    """The first loss is that of the rows by themselves, packed or not: TRL computes the logits in
    chunks from the model without its head. What it saves, ckpt verifies."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    whole = loss_of(model.eval(), tokenizer, ROWS)
    settings = dict(packing=True, max_length=512, gradient_accumulation_steps=1) if packing else {}
    trainer = supervised(model, tokenizer, tmp_path / "run", **settings)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2 and all(math.isfinite(x) for x in losses)
    if packing:
        # All rows are in the one batch.
        assert abs(losses[0] - whole) < 1e-3
    assert any(not torch.equal(before[name], p) for name, p in model.named_parameters())
    trainer.save_model(str(tmp_path / "saved"))
    assert "consistent" in ckpt("verify", tmp_path / "saved")


def test_peft(model, tokenizer, ckpt, tmp_path):
    """`all-linear` takes every projection and the adapter; what is merged is what was trained, and
    ckpt verifies it as it is saved."""
    ids = torch.arange(12).reshape(2, 6)
    wrapped = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"))
    names = {name for name, _ in wrapped.named_parameters() if "lora_A" in name}
    assert any("adapter" in name for name in names) and any("Wqkv" in name for name in names)
    optimizer = torch.optim.SGD([p for p in wrapped.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        wrapped(input_ids=ids, labels=ids, num_steps=2).loss.backward()
        optimizer.step()
    with torch.no_grad():
        adapted = wrapped.eval()(input_ids=ids, num_steps=2).logits
        merged = wrapped.merge_and_unload()
        assert torch.allclose(adapted, merged(ids, num_steps=2).logits, atol=1e-4)
    merged.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert "consistent" in ckpt("verify", tmp_path)


def test_peft_defaults(model):
    """A configuration that names no modules."""
    wrapped = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM"))
    names = {name for name, _ in wrapped.named_parameters() if "lora_A" in name}
    assert any("Wqkv" in name for name in names)


def test_a_device_map(folder, tmp_path):
    """accelerate deals the blocks out, here to memory and to disk; none is split."""
    ids = torch.arange(12).reshape(2, 6)
    plain = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
    dealt = AutoModelForCausalLM.from_pretrained(
        folder, trust_remote_code=True, device_map="auto", max_memory={"cpu": 1_500_000},
        offload_folder=str(tmp_path))
    places = set(dealt.hf_device_map.values())
    assert "disk" in places and "cpu" in places
    with torch.no_grad():
        for r in (1, 3):
            wanted = plain(ids, num_steps=r).logits
            assert torch.allclose(dealt(ids, num_steps=r).logits, wanted, atol=1e-5)
