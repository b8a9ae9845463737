"""Logits, hidden states, losses and gradients of exported models."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

FAMILIES = ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2", "tiny-qwen2", "tiny-qwen3"]
RETROFITS = ["tiny-llama", "tiny-llama3-rope", "tiny-olmo2"]
# Two implementations in float32, relative norms.
CLOSE, GRADIENT = 1e-5, 1e-4


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", RETROFITS)
def test_golden_logits(name, attention, export, load, golden, distance):
    """The published reference implementation's logits and latents at r = 1, 2, 4 and 8."""
    numbers = load_file(golden / name / "golden.safetensors")
    model = load(export(golden / name / "retrofit"), attn_implementation=attention)
    for r in (1, 2, 4, 8):
        with torch.no_grad():
            output = model(
                numbers["input_ids"], num_steps=r, initial_state=numbers["initial_state"]
            )
        assert distance(output.logits, numbers[f"r{r}.logits"]) < CLOSE
        assert distance(output.latent, numbers[f"r{r}.latent"]) < CLOSE


@pytest.mark.parametrize("steps", [(0, 3), (3, 2)])
@pytest.mark.parametrize("name", RETROFITS)
def test_golden_gradients(name, steps, export, load, golden, distance):
    """The loss and every gradient after n passes without gradient and k with."""
    numbers = load_file(golden / name / "golden.safetensors")
    model = load(export(golden / name / "retrofit"))
    output = model(numbers["input_ids"], num_steps=steps, initial_state=numbers["initial_state"])
    # Golden labels stand at the logits that predict them.
    loss = F.cross_entropy(output.logits.flatten(0, 1), numbers["labels"].flatten())
    loss.backward()
    prefix = f"bptt.n{steps[0]}k{steps[1]}."
    assert distance(loss.detach(), numbers[prefix + "loss"][0]) < CLOSE
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert len(gradients) == sum(key.startswith(prefix + "grad.") for key in numbers)
    for key, gradient in gradients.items():
        assert distance(gradient, numbers[prefix + "grad." + key]) < GRADIENT, key


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_and_hidden_states_are_those_of_trace(name, folder, load, tokens, trace, distance):
    """Every family, a start at random included: both draw the same numbers."""
    model = load(folder(name))
    ids = tokens(model)
    for r in (1, 2, 4, 8):
        wanted = trace(folder(name), r, "logits,hidden,latent", input_ids=ids)
        with torch.no_grad():
            output = model(ids, num_steps=r, output_hidden_states=True)
        assert distance(output.logits, wanted["logits"]) < CLOSE
        assert distance(output.latent, wanted["latent"]) < CLOSE
        hidden = torch.stack(output.hidden_states)
        assert len(hidden) == 1 + 2 + 3 * r + 2
        assert distance(hidden, wanted["hidden"]) < CLOSE


GRADIENTS = {
    "tiny-qwen2": (), "tiny-qwen3": (), "tiny-llama": ("--adapter", "diagonal", "--state", "huginn"),
    "tiny-olmo2": ("--adapter", "gated")}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_trace(name, folder, load, tokens, trace, distance):
    """Biases, head-wise norms, decays and a gate too; transformers shifts labels, traces do not."""
    model = load(folder(name, *GRADIENTS[name]))
    ids = tokens(model)
    aligned = torch.cat([ids[:, 1:], torch.full((2, 1), -100)], dim=1)
    # A state that is passed on leads back to the prelude from the first pass alone.
    steps = (0, 3) if "gated" in GRADIENTS[name] else (2, 2)
    wanted = trace(folder(name, *GRADIENTS[name]), "{},{}".format(*steps), "loss,gradients",
                   input_ids=ids, labels=aligned)
    loss = model(ids, labels=ids, num_steps=steps, state_seed=0).loss
    loss.backward()
    assert distance(loss.detach(), wanted["loss"][0]) < CLOSE
    for key, parameter in model.named_parameters():
        assert distance(parameter.grad, wanted["grad." + key]) < GRADIENT, key


CHOICES = [
    ("--adapter", "add"),
    ("--adapter", "diagonal"),
    ("--adapter", "diagonal", "--state", "embedding", "--dtype", "f32"),
    ("--adapter", "gated"),
    ("--adapter", "average", "--state", "zero"),
    ("--adapter", "takase", "--state", "embedding"),
    ("--adapter", "state", "--state", "width"),
    ("--adapter", "uniform", "--core-norm", "--head", "tied"),
    ("--adapter", "uniform", "--dialect", "native", "--dtype", "f32"),
]


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_every_adapter_state_and_head(choice, folder, load, tokens, trace, distance):
    """What a retrofit can choose reaches the exported model."""
    model = load(folder("tiny-llama", *choice))
    ids = tokens(model)
    with torch.no_grad():
        output = model(ids, num_steps=3, state_seed=0)
    wanted = trace(folder("tiny-llama", *choice), 3, "logits", input_ids=ids)
    assert distance(output.logits, wanted["logits"]) < CLOSE


def test_a_number_of_steps_is_split_as_the_configuration_says(folder, load, tokens):
    """Where gradients are recorded: all but the last `mean_backprop_depth`, here 2, without."""
    model = load(folder("tiny-llama"))
    ids = tokens(model)

    def gradient(steps):
        model.zero_grad()
        model(ids, labels=ids, num_steps=steps).loss.backward()
        return model.transformer.core_block[0].mlp.fc.weight.grad.clone()

    assert torch.equal(gradient(5), gradient((3, 2)))
    assert torch.equal(gradient(None), gradient((1, 2)))
    assert torch.equal(gradient(1), gradient((0, 1)))
    model.zero_grad()
    model(ids, labels=ids, num_steps=(2, 0)).loss.backward()
    assert model.transformer.core_block[0].mlp.fc.weight.grad is None
    assert model.transformer.coda[0].mlp.fc.weight.grad is not None
    for wrong in (0, (0, 0), (-1, 2)):
        with pytest.raises(ValueError, match="num_steps"):
            model(ids, num_steps=wrong)


def test_gradient_checkpointing_changes_no_gradient(folder, load, tokens):
    """Blocks are run again in the backward pass, with the numbers of the forward pass."""
    gradients = []
    for checkpointing in (False, True):
        model = load(folder("tiny-olmo2")).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        ids = tokens(model)
        model(ids, labels=ids, num_steps=(1, 3), state_seed=5).loss.backward()
        gradients.append({key: p.grad for key, p in model.named_parameters()})
    for key in gradients[0]:
        assert torch.equal(gradients[0][key], gradients[1][key]), key


def test_autocast_keeps_gradients_after_passes_without(folder, load, tokens, distance):
    """Weights that were converted in a pass without gradient do not serve one with."""
    model = load(folder("tiny-llama"))
    ids = tokens(model)
    model(ids, labels=ids, num_steps=(2, 2)).loss.backward()
    wanted = model.transformer.core_block[0].mlp.fc.weight.grad.clone()
    model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(ids, labels=ids, num_steps=(2, 2)).loss
    loss.backward()
    assert distance(model.transformer.core_block[0].mlp.fc.weight.grad, wanted) < 0.05


def test_half_precision(folder, load, tokens, distance):
    """A model loaded in bfloat16 is the same but for rounding."""
    ids = tokens(load(folder("tiny-qwen3")))
    with torch.no_grad():
        whole = load(folder("tiny-qwen3"))(ids).logits
        half = load(folder("tiny-qwen3"), dtype=torch.bfloat16)(ids).logits
    assert half.dtype == torch.bfloat16
    assert distance(half.float(), whole) < 0.05


def test_loss_counts_the_targets_of_a_whole_update(folder, load, tokens):
    """A trainer that splits an update passes how many targets it has."""
    model = load(folder("tiny-llama"))
    ids = tokens(model)
    labels = ids.clone()
    labels[0, :6] = -100
    with torch.no_grad():
        mean = model(ids, labels=labels).loss
        share = model(ids, labels=labels, num_items_in_batch=100).loss
        logits = model(ids).logits
    targets = int((labels[:, 1:] != -100).sum())
    # The definition, target by target.
    total = 0.0
    for row in range(2):
        for place in range(1, 12):
            if labels[row, place] >= 0:
                total -= logits[row, place - 1].double().log_softmax(-1)[labels[row, place]]
    assert abs(float(mean) - float(total) / targets) < 1e-5
    assert abs(float(share) - float(total) / 100) < 1e-5
