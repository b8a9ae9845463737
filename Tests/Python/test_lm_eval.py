"""The lm-evaluation-harness on an exported folder, on a task made of local files."""

import json
import math

import pytest
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

SUMS = [(12, 7), (3, 4), (20, 9), (8, 15)]


@pytest.fixture
def tasks(tmp_path):
    """A folder with a task of four sums, each with two answers to choose from."""
    with open(tmp_path / "sums.jsonl", "w") as file:
        for a, b in SUMS:
            row = {"question": f"{a}+{b}=", "choices": [f"{a + b}.", f"{a + b + 13}."], "answer": 0}
            file.write(json.dumps(row) + "\n")
    (tmp_path / "sums.yaml").write_text(
        f"""task: local_sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {tmp_path}/sums.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
target_delimiter: ""
metric_list: [{{metric: acc}}]
"""
    )
    return TaskManager(include_path=str(tmp_path), include_defaults=False)


@pytest.mark.parametrize("r", [1, 4])
def test_a_local_task(r, ckpt, trained, tasks, tmp_path):
    """The harness's log likelihoods, and its accuracy, are those of the model at this r."""
    folder = tmp_path / "model"
    ckpt("export", trained, "--to", "transformers", "--dtype", "f32", "-o", folder)
    model = HFLM(
        pretrained=str(folder),
        trust_remote_code=True,
        mean_recurrence=r,
        dtype="float32",
        device="cpu",
        batch_size=2,
    )
    results = simple_evaluate(
        model=model, tasks=["local_sums"], task_manager=tasks, log_samples=True
    )
    samples = results["samples"]["local_sums"]
    assert len(samples) == len(SUMS)
    right = 0
    for sample in samples:
        found = [float(answer[0][0]) for answer in sample["resps"]]
        wanted = [
            likelihood(model.model, model.tokenizer, sample["doc"]["question"], choice, r)
            for choice in sample["doc"]["choices"]
        ]
        assert all(math.isclose(a, b, rel_tol=1e-4) for a, b in zip(found, wanted, strict=True))
        right += wanted[0] > wanted[1]
    assert results["results"]["local_sums"]["acc,none"] == right / len(SUMS)


def likelihood(model, tokenizer, question, choice, r):
    """Sum of the logarithms of the choice's tokens' probabilities, at r passes by name."""
    ids = torch.tensor([tokenizer(question + choice)["input_ids"]])
    start = len(tokenizer(question)["input_ids"])
    with torch.no_grad():
        logits = model(ids, num_steps=r).logits[0].log_softmax(-1)
    return sum(float(logits[i - 1, ids[0, i]]) for i in range(start, ids.shape[1]))
