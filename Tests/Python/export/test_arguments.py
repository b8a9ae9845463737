"""Arguments, and caches of every kind."""

import warnings

import pytest
import torch
import transformers

CLOSE = 1e-5
IS_CURRENT = int(transformers.__version__.split(".")[0]) >= 5
current = pytest.mark.skipif(not IS_CURRENT, reason="transformers 5 alone has this")


def test_misspelt_and_fractional_arguments_are_errors(folder, load, tokens):
    """None is swallowed."""
    model = load(folder("tiny-llama"))
    ids = tokens(model)
    for part in (model, model.transformer):
        with pytest.raises(TypeError, match="num_step$"):
            part(ids, num_step=1)
    with pytest.raises(ValueError, match="num_step"):
        model.generate(ids, num_step=1, max_new_tokens=1)
    for wrong in (2.7, 2.0, "2", True, (1, 1.5)):
        with pytest.raises(ValueError, match="not a whole number"):
            model(ids, num_steps=wrong)
    with pytest.raises(ValueError, match="a pair"):
        model(ids, num_steps=(1, 1, 1))
    with pytest.raises(ValueError, match="attention_mask is for 5 tokens"):
        model(ids, attention_mask=torch.ones(2, 5, dtype=torch.long))
    with pytest.raises(ValueError, match="position_ids is"):
        model(ids, position_ids=torch.arange(3)[None])


def test_nothing_is_warned_of_on_load(folder, load):
    """Neither by Python's warnings nor by transformers' log."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(folder("tiny-qwen3"))


def test_the_model_without_head(folder, load, tokens):
    """Its output is what transformers' base models give."""
    model = load(folder("tiny-olmo2"))
    ids = tokens(model)
    with torch.no_grad():
        base = model.transformer(ids, output_hidden_states=True)
        logits = model(ids).logits
        assert torch.equal(model.lm_head(base.last_hidden_state), logits)
        assert torch.equal(base.hidden_states[-1], base.last_hidden_state)
        assert torch.equal(model.transformer(ids, return_dict=False)[0], base.last_hidden_state)


def test_attentions_are_given_by_eager_alone(folder, load, tokens):
    """One an execution, each row a distribution over the keys before; sdpa has none to give."""
    model = load(folder("tiny-llama"), attn_implementation="eager")
    ids = tokens(model)
    with torch.no_grad():
        attentions = model(ids, num_steps=2, output_attentions=True).attentions
    assert len(attentions) == 2 + 3 * 2 + 2
    for weights in attentions:
        assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)
        assert bool((weights.triu(1) == 0).all())
    with pytest.raises(ValueError, match="eager"):
        load(folder("tiny-llama"))(ids, output_attentions=True)


def test_packed_documents_are_kept_apart(folder, load, tokens, distance):
    """Also where a row is padded, and where documents begin at other positions than 0."""
    model = load(folder("tiny-qwen2", "--adapter", "uniform", "--state", "zero"))
    ids = tokens(model)
    positions = torch.tensor([[0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 7, 8, 9] + [0] * 6])
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    parts = [(0, 0, 5), (0, 5, 12), (1, 0, 3), (1, 3, 6)]
    with torch.no_grad():
        packed = model(ids, position_ids=positions, attention_mask=mask).logits
        for row, first, end in parts:
            place = positions[row : row + 1, first:end]
            alone = model(ids[row : row + 1, first:end], position_ids=place).logits[0]
            assert distance(packed[row, first:end], alone) < CLOSE


@current
@pytest.mark.parametrize(
    "more",
    [
        dict(cache_implementation="static"),
        dict(cache_implementation="dynamic"),
        dict(prefill_chunk_size=3),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["tiny-llama", "tiny-qwen3"])
def test_caches_that_generate_makes(name, more, folder, load, tokens):
    """They have a place for every execution; a padded row is in the batch."""
    model = load(folder(name))
    ids = tokens(model, length=8)
    mask = torch.ones_like(ids)
    mask[1, :3] = 0
    common = dict(
        attention_mask=mask,
        num_steps=3,
        do_sample=False,
        max_new_tokens=6,
        pad_token_id=0,
        eos_token_id=None,
    )
    wanted = model.generate(ids, use_cache=False, **common)
    found = model.generate(ids, return_dict_in_generate=True, **common, **more)
    assert torch.equal(found.sequences, wanted)
    assert len(found.get("cache", found.get("past_key_values"))) == 2 + 3 * 3 + 2


@current
def test_guesses_of_tokens_change_nothing(folder, load, tokens):
    """Prompt lookup, and the model itself at another number of passes as assistant."""
    model = load(folder("tiny-llama"))
    ids = tokens(model, batch=1, length=8)
    common = dict(
        attention_mask=torch.ones_like(ids),
        num_steps=3,
        do_sample=False,
        max_new_tokens=10,
        pad_token_id=0,
        eos_token_id=None,
    )
    wanted = model.generate(ids, **common)
    assert torch.equal(model.generate(ids, prompt_lookup_num_tokens=3, **common), wanted)
    assert torch.equal(model.generate(ids, assistant_model=model, **common), wanted)


@pytest.mark.skipif(not IS_CURRENT, reason="the trainer needs packages newer than 4.51's")
def test_a_trainer_trains_it(folder, load, tokens, tmp_path):
    """Two accumulated batches have the loss of one, so `num_items_in_batch` arrives."""
    from transformers import Trainer, TrainingArguments

    losses = []
    for size, pieces in ((4, 1), (2, 2)):
        model = load(folder("tiny-llama", "--adapter", "uniform", "--state", "zero"))
        ids = tokens(model, batch=4)
        labels = ids.clone()
        labels[0, :9] = -100
        rows = [{"input_ids": a, "labels": b} for a, b in zip(ids, labels)]
        arguments = TrainingArguments(
            output_dir=str(tmp_path / str(size)),
            per_device_train_batch_size=size,
            gradient_accumulation_steps=pieces,
            max_steps=1,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows)
        trainer.train()
        losses.append(trainer.state.log_history[0]["loss"])
    assert abs(losses[0] - losses[1]) < 1e-3
