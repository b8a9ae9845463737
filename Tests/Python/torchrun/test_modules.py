"""Modules of the script, each asked by itself."""

import pytest


def test_draws_are_those_of_the_bundled_trainer(
        trainers, script, records, retrofit, golden, tmp_path):
    """Thousands of them, with the schedules: one micro-batch a step, so the log has each."""
    import numpy

    small = retrofit(golden / "tiny-llama/source", "--prelude", 1, "--core", 1, "--coda", 1)
    numpy.save(tmp_path / "tokens.npy", numpy.arange(20_000, dtype=numpy.uint16) % 60)
    trainers.ckpt(
        "train", small, "--data", tmp_path / "tokens.npy", "-o", tmp_path / "run", "--steps", 3000,
        "--batch-size", 1, "--sequence-length", 1, "--mean-recurrence", 12, "--optimizer", "adamw",
        "--set", "evaluation.rows=1", "--set", "recurrence.backprop_depth.shape=1-sqrt",
        "--set", "recurrence.backprop_depth.ramp=0.3", "--eval-recurrence", 1, "--threads", 1)
    text = (tmp_path / "run/recipe.yaml").read_text()
    recipe = script("recipe").Recipe()
    recipe.apply(text)
    assert recipe.text() == text.partition("\n")[2]
    sampler, schedule = recipe.sampler, recipe.schedule
    for index, record in enumerate(records(tmp_path / "run")):
        without_gradient, with_gradient = sampler.draw(index, index, 3000)
        assert without_gradient + with_gradient == record["recurrence"]
        assert with_gradient == record["backprop_depth"]
        assert sampler.mean_at(index, 3000) == record["mean_recurrence"]
        rate = recipe.main_learning_rate * schedule.factor(index, 3000)
        assert rate == pytest.approx(record["lr"], rel=1e-15)


def test_a_recipe_is_obeyed_or_refused_by_name(trainers, script):
    """Every setting that `ckpt train` prints is known here, with the same default."""
    module = script("recipe")
    recipe = module.Recipe()
    assert recipe.text() == trainers.ckpt("train", trainers.package, "--print-recipe")
    for text, words in [
        ("optimizer: {clup: 1}", 'x.yaml:1: there is no setting "optimizer.clup"; '
                                 'did you mean "optimizer.clip"?'),
        ("steps: 0", "steps is 0; allowed: a whole number from 1"),
        ("steps: 1_0", "steps is 1_0"),
        ("\nsteps: [1]", "x.yaml:2: steps is a list"),
        ("steps: {a: 1}", "steps is a mapping"),
        ("lora: {matrices: [query, bias]}", "a list of query, key"),
        ("distillation: {temperature: 0}", "a number from 0.01"),
        ("evaluation: {recurrences: [0]}", "whole numbers from 1"),
        ("schedule: {warmup: 1.5}", "a share from 0.0 to 1.0"),
        ("optimizer: {adam: {beta1: nan}}", "a number from 0 to 1"),
        ("a: &a 1\nb: *a", "x.yaml:2: aliases are not allowed"),
        ("steps", "not a mapping"),
        ("a: [", "not a recipe"),
    ]:
        with pytest.raises(module.RecipeError) as error:
            module.Recipe().apply(text, "x.yaml")
        assert words in str(error.value)
    refused = {
        "memory_budget=16GiB": "--memory recurrence",
        "recurrence.settling=0.1": "recurrence.settling is set.*set it to 0",
        "recurrence.supervision.depths=2": "recurrence.supervision.depths is set.*set it to 0",
        "recurrence.per_sequence=true": "micro_batch_size to 1",
        "evaluation.questions=sums.jsonl": "leave it empty",
    }
    for setting, words in refused.items():
        other = module.Recipe()
        other.set(*setting.split("="))
        with pytest.raises(module.RecipeError, match=words):
            other.refuse_what_only_ckpt_does()
    # Epsilon's default follows the optimizer, unless it was set after it.
    recipe.apply("optimizer: {kind: adamw}")
    assert recipe["optimizer.adam.epsilon"] == 1e-8


def test_data_that_cannot_be_used_is_refused(script, tmp_path):
    import numpy

    module, recipe = script("data"), script("recipe").Recipe()

    def refusal(source, vocabulary=100):
        recipe.set("data.sources", [str(tmp_path / source)] if source else [])
        with pytest.raises(module.DataError) as error:
            data = module.Dataset(recipe, vocabulary)
            data.batch([data.next_row(data.start)])
        return str(error.value)

    recipe.apply("sequence_length: 4")
    (tmp_path / "a.gz").write_bytes(bytes(9))
    (tmp_path / "b.tokens").write_bytes(b"ckpttok1" + bytes(80))
    numpy.save(tmp_path / "c.npy", numpy.zeros(9, dtype=numpy.float32))
    numpy.save(tmp_path / "d.npy", numpy.full(40, 100))
    numpy.save(tmp_path / "e.npy", numpy.arange(9))
    assert "binary data of no known kind" in refusal("a.gz")
    assert "88 bytes for 0 tokens" in refusal("b.tokens")
    assert "not an array of token ids" in refusal("c.npy")
    assert "token id 100," in refusal("d.npy")
    for kind in ("<i4", "<i8"):
        numpy.save(tmp_path / "f.npy", numpy.array([5, -100] * 20, dtype=kind))
        assert "token id -100," in refusal("f.npy")
    assert "9 tokens; at least 10" in refusal("e.npy")
    assert "not a positive weight" in refusal("e.npy:none")
    assert "nothing to train on" in refusal(None)


def test_the_loss_by_chunks_is_the_loss(script, monkeypatch):
    """Values and gradients, of a head with capped results, against torch's own."""
    import torch
    import torch.nn.functional as F

    module = script("loss")
    monkeypatch.setattr(module, "CHUNK", 3 * 11)
    torch.manual_seed(0)
    labels = torch.randint(11, (8,))
    labels[2] = labels[7] = -100
    hidden, head = torch.randn(8, 5, requires_grad=True), torch.randn(11, 5, requires_grad=True)
    capped = lambda x: 2 * torch.tanh(x / 2)  # noqa: E731
    total, loss, _ = module.ChunkedLoss.apply(
        hidden, head, labels, capped, torch.float32, None, None, True)
    (total * 0.5).backward()
    ours = hidden.grad.clone(), head.grad.clone()
    hidden.grad = head.grad = None
    theirs = F.cross_entropy(capped(hidden @ head.T), labels, reduction="sum")
    (theirs * 0.5).backward()
    torch.testing.assert_close(loss.float(), theirs.detach())
    torch.testing.assert_close(ours, (hidden.grad, head.grad))


def test_what_a_machine_lacks_is_said(script, tmp_path):
    import errno

    errors, run = script("errors"), script("run").RunFolder(tmp_path)
    run.require_room(1)
    with pytest.raises(errors.RunError, match="make room") as error:
        run.require_room(1 << 62)
    assert error.value.exit_code == 5
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "a/b")
        except OSError as cause:
            raise RuntimeError("torch's words") from cause
    except RuntimeError as failure:
        known = errors.known(failure)
    assert known.exit_code == 5 and "a/b: the disk is full" in known.line()
    lost = errors.known(RuntimeError("[gloo/pair.cc] Connection closed by peer"))
    assert lost.code == "train.lost_process"


@pytest.mark.parametrize("shape", [(2, 40, 60), (1, 512, 700), (2, 603, 603)])
def test_orthogonalising_in_strips_is_that_of_whole_products(script, shape):
    import torch

    module = script("muon")
    torch.manual_seed(1)
    x = torch.randn(shape)
    x /= torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True)
    a, b, c = module.NEWTON_SCHULZ
    wanted = x.double()
    for _ in range(module.NEWTON_SCHULZ_STEPS):
        gram = wanted @ wanted.mT
        wanted = a * wanted + (b * gram + c * gram @ gram) @ wanted
    found = module._newton_schulz(x)
    assert (found - wanted).norm() / wanted.norm() < 1e-5
    rounded = module._newton_schulz(x.bfloat16())
    assert (rounded.double() - wanted).norm() / wanted.norm() < 3e-2
