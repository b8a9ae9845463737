"""What an engine asks of a model, asked by a small one of our own: many sequences in one row, and keys
and values kept by the number of the layer. Tests/Python/engines asks the real ones."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

FAMILIES = Path(__file__).resolve().parents[3] / "fixtures" / "families"
CLOSE = 1e-5


class Engine:
    """Keeps keys and values of each layer and sequence; `sequences` has that of every token."""

    def __init__(self, config):
        self.config, self.kept, self.sequences = config, {}, []

    def attention(self, module, query, key, value, mask, scaling, **more):
        assert mask is None and next(module.parameters(), None) is None
        assert self.config.layer_types[module.layer_idx] == (
            "full_attention" if module.sliding_window is None else "sliding_attention")
        window = self.config.sliding_window if module.sliding_window else None
        groups, cap = query.shape[1] // key.shape[1], self.config.attn_logit_softcapping
        rows = []
        for place, sequence in enumerate(self.sequences):
            kept = self.kept.setdefault((module.layer_idx, sequence), [])
            kept.append((key[0, :, place], value[0, :, place]))
            seen = kept if window is None else kept[-window:]
            k, v = (torch.stack(x, 1).repeat_interleave(groups, 0) for x in zip(*seen))
            scores = torch.einsum("hd,hkd->hk", query[0, :, place], k) * scaling
            if cap is not None:
                scores = cap * torch.tanh(scores / cap)
            rows.append(torch.einsum("hk,hkd->hd", scores.softmax(-1), v).flatten())
        return torch.stack(rows), None


@pytest.fixture
def engine_of():
    """A function: the base model of a folder as an engine loads it, and the engine."""

    def make(folder, **fields):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=True, **fields)
        engine = Engine(config)
        ALL_ATTENTION_FUNCTIONS["vllm"] = engine.attention
        model = AutoModel.from_pretrained(
            folder, config=config, trust_remote_code=True, attn_implementation="vllm",
            torch_dtype=torch.float32)
        return model.eval(), engine

    yield make
    ALL_ATTENTION_FUNCTIONS._local_mapping.pop("vllm", None)


def rows_of(model, engine, pieces):
    """The final norm's output of pieces (sequence, first position, tokens), which share a row."""
    engine.sequences = [name for name, _, ids in pieces for _ in ids]
    ids = torch.cat([ids for _, _, ids in pieces])[None]
    places = torch.cat([torch.arange(len(ids)) + first for _, first, ids in pieces])[None]
    with torch.no_grad():
        output = model(ids, position_ids=places, use_cache=False, return_dict=False)[0][0]
    return output.split([len(ids) for _, _, ids in pieces])


@pytest.fixture(scope="session")
def family(ckpt, retrofit, export, tmp_path_factory):
    """A function: an exported folder of a family's fixture."""

    def make(name):
        adapter = tmp_path_factory.getbasetemp() / f"engine-{name}.safetensors"
        numbers = load_file(FAMILIES / name / "numbers.safetensors")
        save_file({"adapter": numbers["adapter"]}, adapter)
        options = ("--select", "0-1/3-4/5", "--head", "keep", "--adapter", adapter)
        return export(retrofit(FAMILIES / name / "model", *options, "--mean-recurrence", 3))

    return make


@pytest.mark.parametrize("r", [1, 3])
@pytest.mark.parametrize(
    "name",
    ["gemma2-types", "gemma3-types", "granite-factors", "llama-linear", "llama-yarn", "mistral-window",
     "qwen2-window", "qwen3moe-mixed"],
)
def test_sequences_in_one_row(name, r, family, load, engine_of, distance):
    """In pieces, beside each other: what each gives by itself."""
    folder = family(name)
    plain = load(folder)
    model, engine = engine_of(folder, mean_recurrence=r)
    ids = torch.randint(40, (2, 14), generator=torch.Generator().manual_seed(3))
    found = [[], []]
    for lengths in [(5, 9), (1, 1), (4, 1), (4, 3)]:
        pieces = []
        for row, length in enumerate(lengths):
            first = sum(len(x) for x in found[row])
            pieces.append((row, first, ids[row, first : first + length]))
        for row, output in enumerate(rows_of(model, engine, pieces)):
            found[row].append(output)
    for row in range(2):
        with torch.no_grad():
            wanted = plain.transformer(ids[row : row + 1], num_steps=r).last_hidden_state[0]
        assert distance(torch.cat(found[row]), wanted) < CLOSE


class Experts(torch.nn.Module):
    """Those of a block as an engine has them: each for all rows, times a weight that may be zero."""

    def __init__(self, theirs):
        super().__init__()
        self.theirs, self.calls = list(theirs), 0

    def forward(self, rows, chosen, weights):
        self.calls += 1
        shares = torch.zeros(len(rows), len(self.theirs)).scatter(1, chosen, weights)
        parts = torch.stack([expert(rows) for expert in self.theirs], dim=1)
        return (shares[:, :, None] * parts).sum(1)


@pytest.mark.parametrize("name", ["mixtral-default", "olmoe-default", "qwen3moe-mixed"])
def test_an_engine_may_compute_the_experts(name, family, engine_of, distance):
    """In place of ours: it is asked with each token's choice, in every pass, and gives the same."""
    model, engine = engine_of(family(name))
    ids = torch.randint(40, (9,), generator=torch.Generator().manual_seed(3))
    [wanted] = rows_of(model, engine, [("first", 0, ids)])
    mlps = [block.mlp for group in (model.prelude, model.core_block, model.coda) for block in group]
    replaced = [mlp for mlp in mlps if hasattr(mlp, "experts")]
    for mlp in replaced:
        mlp.experts = Experts(mlp.experts)
    [found] = rows_of(model, engine, [("second", 0, ids)])
    assert distance(found, wanted) < CLOSE
    passes = [3 if mlp in [block.mlp for block in model.core_block] else 1 for mlp in replaced]
    assert passes and [mlp.experts.calls for mlp in replaced] == passes


def test_experts_that_an_engine_would_compute_otherwise_are_refused(family, engine_of, tmp_path):
    """Fields that say something else than the specs, and another activation."""
    for number, (change, problem) in enumerate([
        (dict(num_experts_per_tok=1), "num_experts_per_tok, 1, for the chosen of .* has 2"),
        (dict(num_local_experts=4), "num_local_experts, 4, for the count of .* has 8"),
        (dict(moe_intermediate_size=3), "intermediate_size, 3, for the width of .* has 8"),
        (None, "experts with 'silu'; those of this model have 'gelu'"),
    ]):
        folder = tmp_path / str(number)
        shutil.copytree(family("mixtral-default"), folder)
        config = json.loads((folder / "config.json").read_text())
        config |= change or {}
        if change is None:
            config["block_specs"]["distinct"][0]["mlp"]["activation"] = "gelu"
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match=problem):
            engine_of(folder)


def test_fields_that_engines_read(family):
    """Of the executed layers, and what is computed at the end; ckpt's fields stay as they were."""
    folder = family("gemma2-types")
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    stated = json.loads((folder / "config.json").read_text())
    assert config.num_hidden_layers == 2 + 2 * 3 + 1 and "num_hidden_layers" not in stated
    assert len(config.layer_types) == 9 and len(stated["layer_types"]) == 5
    assert config.final_logit_softcapping == stated["final_logit_softcapping"]
    config.mean_recurrence = 1
    assert config.num_hidden_layers == len(config.layer_types) == 5
    saved = config.to_dict()
    assert "num_hidden_layers" not in saved and saved["layer_types"] == stated["layer_types"]
    divisor = AutoConfig.from_pretrained(family("granite-factors"), trust_remote_code=True)
    assert divisor.logit_scale == 1 / divisor.block_specs["model"]["logits_divisor"] != 1


def test_what_an_engine_cannot_serve_is_refused(family, engine_of, load, tmp_path):
    """By our code, before the engine computes."""
    for name in ("llama-dynamic", "phi3-longrope"):
        with pytest.raises(ValueError, match="depend on the length of each sequence"):
            engine_of(family(name))
    folder = tmp_path / "model"
    shutil.copytree(family("mistral-window"), folder)
    config = json.loads((folder / "config.json").read_text())
    changed = config | {"mean_recurrence": 5, "num_hidden_layers": 9}
    (folder / "config.json").write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="num_hidden_layers is 9, but 13 layers are executed"):
        engine_of(folder)
    model, engine = engine_of(family("mistral-window"))
    ids = torch.arange(4)[None]
    with pytest.raises(ValueError, match="started for r = 3 .* num_steps is 2"):
        model(ids, position_ids=ids, num_steps=2)
    for name in ("sglang", "paged|sdpa"):
        plain = load(family("mistral-window"))
        plain.config._attn_implementation_internal = name
        with pytest.raises(ValueError, match="would mix the keys of the passes"):
            plain(ids)


def test_an_engine_that_is_too_old_is_refused(family, engine_of, monkeypatch):
    """With both versions."""
    import importlib.metadata

    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.19.1" if name == "vllm" else real(name))
    with pytest.raises(ImportError, match="needs vllm 0.32 or newer; 0.19.1 is installed"):
        engine_of(family("mistral-window"))
