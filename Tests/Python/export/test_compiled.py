"""torch.compile: one graph, and none new after it."""

from pathlib import Path

import pytest
import torch
import transformers

pytestmark = pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) < 5, reason="transformers 5 alone has this"
)


FAMILIES = Path(__file__).resolve().parents[3] / "fixtures" / "families"


@pytest.fixture
def graphs():
    """A list that gets every graph that is compiled with `backend`, its attribute."""

    class Graphs(list):
        def backend(self, graph, inputs):
            self.append(graph)
            return graph.forward

    torch._dynamo.reset()
    return Graphs()


def test_evaluation(folder, load, tokens, graphs):
    """With and without mask; a second call of the same form makes none."""
    model = load(folder("tiny-qwen3"))
    compiled = torch.compile(model, fullgraph=True, backend=graphs.backend)
    with torch.no_grad():
        for seed in (1, 2):
            ids = tokens(model, seed=seed)
            mask = torch.ones_like(ids)
            mask[0, : 4 + seed] = 0
            for more in ({}, {"attention_mask": mask}):
                found = compiled(ids, num_steps=3, use_cache=False, **more).logits
                wanted = model(ids, num_steps=3, use_cache=False, **more).logits
                assert torch.allclose(found, wanted, atol=1e-5)
    assert len(graphs) == 2


def test_training(folder, load, tokens, graphs):
    """With and without mask, with the gradients of the model as it is; drawn starts need no graph of
    their own."""
    model = load(folder("tiny-llama")).train()
    compiled = torch.compile(model, fullgraph=True, backend=graphs.backend)
    ids = tokens(model)
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    for seed in (1, 2):
        for more in ({}, {"attention_mask": mask}):
            gradients = []
            for run in (model, compiled):
                model.zero_grad()
                run(ids, labels=ids, num_steps=(1, 2), state_seed=seed, **more).loss.backward()
                gradients.append({key: p.grad.clone() for key, p in model.named_parameters()})
            for key, wanted in gradients[0].items():
                assert torch.allclose(gradients[1][key], wanted, atol=1e-5), key
    for _ in range(2):
        compiled(ids, labels=ids, num_steps=(1, 2)).loss.backward()
    # A seed that is given is a constant of its graph, one that is drawn is none.
    assert len(graphs) <= 5


def test_experts(export, retrofit, load, tokens, graphs):
    """Evaluation and training, whichever experts the tokens of a call choose."""
    source = FAMILIES / "qwen3moe-mixed" / "model"
    layers = ("--select", "0-1/3-4/5", "--head", "keep", "--adapter", "average")
    model = load(export(retrofit(source, *layers, "--mean-recurrence", 3)))
    compiled = torch.compile(model, fullgraph=True, backend=graphs.backend)
    for seed in (1, 2):
        ids = tokens(model, seed=seed)
        with torch.no_grad():
            found = compiled(ids, num_steps=3, use_cache=False).logits
            assert torch.allclose(found, model(ids, num_steps=3).logits, atol=1e-5)
    gradients = []
    for run in (model, compiled):
        model.zero_grad()
        run(ids, labels=ids, num_steps=(1, 2), use_cache=False).loss.backward()
        gradients.append({key: p.grad for key, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for key, wanted in gradients[0].items():
        assert torch.allclose(gradients[1][key], wanted, atol=1e-5), key
    assert len(graphs) == 2


DRAWS = [(0, 1), (2, 2), (1, 2), (2, 1), (0, 2), (1, 1)]


def test_padded_passes_are_those_that_count(folder, load, tokens):
    """Loss and gradients are those of n passes without gradient and k with."""
    model = load(folder("tiny-llama")).train()
    ids = tokens(model)
    for draw in DRAWS:
        results = []
        for steps in (dict(num_steps=draw), dict(num_steps=torch.tensor(draw), padded_steps=(2, 2))):
            model.zero_grad()
            loss = model(ids, labels=ids, state_seed=3, **steps).loss
            loss.backward()
            results.append((loss, {key: p.grad.clone() for key, p in model.named_parameters()}))
        assert torch.allclose(results[0][0], results[1][0], atol=1e-6)
        for key, wanted in results[0][1].items():
            assert torch.allclose(results[1][1][key], wanted, atol=1e-6), (draw, key)
    for wrong in ([3, 1], [0, 0], [-1, 2]):
        with pytest.raises(ValueError, match="num_steps counts from 0 to padded_steps"):
            model(ids, num_steps=torch.tensor(wrong), padded_steps=(2, 2))
    with pytest.raises(ValueError, match="padded_steps goes with"):
        model(ids, num_steps=2, padded_steps=(2, 2))
    with pytest.raises(ValueError, match="tensor goes with padded_steps"):
        model(ids, num_steps=torch.tensor([1, 1]))
    with pytest.raises(ValueError, match="goes without one"):
        model(ids, num_steps=torch.tensor([1, 1]), padded_steps=(2, 2), use_cache=True)


def test_drawn_depths_need_one_graph(folder, load, tokens, graphs):
    """All draws, with starts that are drawn too."""
    model = load(folder("tiny-llama")).train()
    compiled = torch.compile(model, fullgraph=True, backend=graphs.backend)
    ids = tokens(model)
    for draw in DRAWS:
        steps = torch.tensor(draw)
        compiled(ids, labels=ids, num_steps=steps, padded_steps=(2, 2)).loss.backward()
    assert len(graphs) == 1


def test_generation_with_a_static_cache(folder, load, tokens, graphs):
    """The greedy tokens of the model as it is; one graph is for all tokens after the prompt."""
    model = load(folder("tiny-llama"))
    ids = tokens(model, length=8)
    common = dict(
        attention_mask=torch.ones_like(ids), num_steps=3, do_sample=False, max_new_tokens=12,
        pad_token_id=0, eos_token_id=None, cache_implementation="static")
    wanted = model.generate(ids, **common, disable_compile=True)
    compiling = transformers.CompileConfig(fullgraph=True, backend="eager", mode=None)
    compiling._compile_all_devices = True
    made = []
    for _ in range(2):
        torch._dynamo.utils.counters.clear()
        found = model.generate(ids, **common, compile_config=compiling)
        assert torch.equal(found, wanted)
        made.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert 1 <= made[0] <= 2 and made[1] == 0
