"""The lm-evaluation-harness on an exported folder, on tasks made of local files."""

import json
import math
import re
import shlex
import subprocess
import sys

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


@pytest.mark.parametrize("r, batch", [(1, 2), (4, "auto")])
def test_a_local_task(r, batch, ckpt, trained, tasks, tmp_path):
    """The harness's log likelihoods, and its accuracy, are those of the model at this r."""
    folder = tmp_path / "model"
    ckpt("export", trained, "--to", "transformers", "--dtype", "f32", "-o", folder)
    model = HFLM(
        pretrained=str(folder),
        trust_remote_code=True,
        mean_recurrence=r,
        dtype="float32",
        device="cpu",
        batch_size=batch,
        max_batch_size=8,
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


def test_the_documented_command(ckpt, package, root, tmp_path):
    """That for GSM8K, as the page has it, in a folder with a data set of the same name and form."""
    page = (root / "docs" / "transformers.md").read_text()
    command = re.search(r"^    lm_eval (.*\\\n.*)$", page, re.MULTILINE)[1].replace("\\\n", "")
    ckpt("export", package, "--to", "transformers", "-o", tmp_path / "model")
    data = tmp_path / "openai" / "gsm8k"
    (data / "main").mkdir(parents=True)
    for split in ("train", "test"):
        with open(data / "main" / f"{split}.jsonl", "w") as file:
            for a, b in SUMS:
                answer = f"{a} and {b} are <<{a}+{b}={a + b}>>{a + b}.\n#### {a + b}"
                print(json.dumps({"question": f"{a} plus {b}?", "answer": answer}), file=file)
    (data / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n"
        "  - {split: train, path: main/train.jsonl}\n  - {split: test, path: main/test.jsonl}\n---\n"
    )
    here = ["--device", "cpu", "--limit", "2", "--gen_kwargs", "max_gen_toks=8"]
    result = subprocess.run(
        [sys.executable, "-m", "lm_eval", *shlex.split(command), *here,
         "--output_path", "results", "--log_samples"],
        cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    [path] = (tmp_path / "results").rglob("results_*.json")
    found = json.loads(path.read_text())
    assert found["config"]["model_args"]["mean_recurrence"] == 8
    assert found["n-shot"]["gsm8k"] == 1
    scores = found["results"]["gsm8k"]
    assert {"exact_match,strict-match", "exact_match,flexible-extract"} <= set(scores)
    [path] = (tmp_path / "results").rglob("samples_gsm8k_*.jsonl")
    prompts = {json.loads(line)["arguments"]["gen_args_0"]["arg_0"]
               for line in path.read_text().splitlines()}
    assert len(prompts) == 2  # each for two ways to find the answer
    assert all(prompt.count("Question:") == 2 and "#### " in prompt for prompt in prompts)


def likelihood(model, tokenizer, question, choice, r):
    """Sum of the logarithms of the choice's tokens' probabilities, at r passes by name."""
    ids = torch.tensor([tokenizer(question + choice)["input_ids"]])
    start = len(tokenizer(question)["input_ids"])
    with torch.no_grad():
        logits = model(ids, num_steps=r).logits[0].log_softmax(-1)
    return sum(float(logits[i - 1, ids[0, i]]) for i in range(start, ids.shape[1]))
