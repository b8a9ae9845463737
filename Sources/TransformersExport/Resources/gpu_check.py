"""Tries train.py on this machine's GPUs in a few minutes, and prints a table.

    python gpu_check.py

Losses on the GPUs, spread in each way, against those of one process on the CPU; flex attention against
torch's other kernels on documents of a row that do not see each other; then tokens/s, the
share of the peak, memory and time to compile, beside a plain Llama with as many layers as are executed,
each with weights of its own, under DDP with torch's fused AdamW. Random tokens: speed does not depend
on them. Without a GPU the same is done on the CPU, which says nothing of a GPU's speed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
KINDS = ("sdpa", "flex")  # of attention
QUIET = ["evaluation.recurrences=", "checkpoints.final=false", "checkpoints.minutes=0"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", type=Path, default=HERE, help="exported folder; this one without it")
    add("--processes", type=int, default=torch.cuda.device_count() or 1, help="all GPUs without it")
    add("--recurrence", type=int, default=4)
    add("--sequence-length", type=int, default=1024)
    add("--micro-batch", type=int, default=4, help="sequences of a process that run at once")
    add("--steps", type=int, default=12, help="of each measurement; the first third does not count")
    add("--precision", choices=["bf16", "float32"], default="bf16")
    add("--parallel", nargs="+", default=["ddp", "fsdp"], choices=["ddp", "fsdp"])
    add("--no-compile", action="store_true")
    add("--peak-flops", type=float, help="of one device, where its name does not tell")
    add("--plain", choices=["eager", "compiled"], help=argparse.SUPPRESS)
    return parser.parse_args()


class Check:
    """Runs train.py with settings, and reads what it logged."""

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.folder, self.runs = options, folder, 0
        config = json.loads((options.model / "config.json").read_text("utf-8"))
        self.context = config["max_position_embeddings"]
        ids = np.random.default_rng(0).integers(0, config["vocab_size"], 1 << 20, dtype=np.uint32)
        end = config.get("eos_token_id")
        if end is not None:  # documents of 200 tokens
            ids[::200] = end[0] if isinstance(end, list) else end
        self.tokens = folder / "tokens.npy"
        np.save(self.tokens, ids)

    def command(self, processes: int, *rest: object) -> list[str]:
        start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", processes]
        return [str(x) for x in [sys.executable, *start, *rest]]

    def run(self, processes: int, settings: list[str], *more: str, **environment: str) -> list[dict]:
        """The records of the steps."""
        self.runs += 1
        output = self.folder / f"run-{self.runs}"
        assignments = [part for setting in QUIET + settings for part in ("--set", setting)]
        peak = ["--peak-flops", self.options.peak_flops] if self.options.peak_flops else []
        command = self.command(
            processes, self.options.model / "train.py", "-o", output, "--data", self.tokens,
            *assignments, *peak, *more)
        done(command, {**os.environ, **environment})
        return [json.loads(line) for line in (output / "metrics.jsonl").open()]

    def equality(self, parallel: str, reference: list[dict]) -> float:
        """The largest difference of losses, in nats."""
        records = self.run(self.options.processes, self.small(), "--parallel", parallel)
        return max(abs(a["loss"] - b["loss"]) for a, b in zip(records, reference, strict=True))

    def flex(self) -> str:
        """What flex attention is here: whether losses are the same, and how fast."""
        o, apart = self.options, "data.attention=document"
        # Two blocks of flex attention, where the model's context has room for them.
        settings = self.small() + [f"sequence_length={min(256, self.context)}", apart]
        try:
            plain, flex = (self.run(o.processes, settings, "--attention", kind) for kind in KINDS)
            difference = max(abs(a["loss"] - b["loss"]) for a, b in zip(plain, flex, strict=True))
            form = [] if o.no_compile else ["--compile"]
            rates = [self.speed("ddp", [*form, "--attention", kind], [apart])["tokens_per_second"]
                     for kind in KINDS]
        except SystemExit as error:
            lines = str(error).strip().splitlines()  # torchrun adds its own to the script's
            reason = next((line for line in lines if "error: " in line), lines[-1])
            return f"flex attention does not run here, so leave --attention flex out: {reason}"
        return (f"flex attention on documents of a row: losses differ by {difference:.1e}"
                f"{'' if difference <= 1e-3 else '  NOT EQUAL'}, {rates[1] / rates[0]:.2f} of the speed "
                "without it")

    def small(self) -> list[str]:
        count = self.options.processes
        return ["steps=4", f"batch_size={2 * count}", "micro_batch_size=1", "sequence_length=64",
                "recurrence.mean.start=2", "recurrence.mean.end=2", "schedule.warmup=1"]

    def speed(self, parallel: str, more: list[str], changes: list[str] | None = None) -> dict:
        o = self.options
        settings = [
            f"steps={o.steps}", f"batch_size={o.processes * o.micro_batch}",
            f"micro_batch_size={o.micro_batch}", f"sequence_length={o.sequence_length}",
            f"recurrence.fixed={o.recurrence}", f"recurrence.backprop_depth.end={o.recurrence}",
            f"precision={o.precision}", "optimizer.kind=adamw", *(changes or [])]
        records = self.run(o.processes, settings, "--parallel", parallel, *more)
        tokens = o.processes * o.micro_batch * o.sequence_length
        return summary([tokens / r["tokens_per_second"] for r in records], tokens,
                       [r.get("mfu") for r in records], records[-1]["memory_bytes"])

    def plain(self, is_compiled: bool) -> dict:
        o = self.options
        kind = "compiled" if is_compiled else "eager"
        peak = ["--peak-flops", o.peak_flops] if o.peak_flops else []
        command = self.command(
            o.processes, HERE / "gpu_check.py", "--plain", kind, "--model", o.model,
            "--recurrence", o.recurrence, "--sequence-length", o.sequence_length,
            "--micro-batch", o.micro_batch, "--steps", o.steps, "--precision", o.precision, *peak)
        return json.loads(done(command, os.environ).splitlines()[-1])


def done(command: list[str], environment: dict) -> str:
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    return result.stdout


def summary(seconds: list[float], tokens: int, shares: list, memory: int) -> dict:
    """Of the steps after the first third; what the first step took more is compiling."""
    kept = slice(max(1, len(seconds) // 3), None)
    middle = statistics.median(seconds[kept])
    share = statistics.median(shares[kept]) if shares[-1] else None
    return {"tokens_per_second": tokens / middle, "mfu": share, "memory_bytes": memory,
            "first_step": seconds[0] - middle}


def train_plain(options: argparse.Namespace) -> None:
    """One process of a plain Llama's training; the first prints its summary."""
    from torch.nn.parallel import DistributedDataParallel
    from transformers import LlamaConfig, LlamaForCausalLM

    from train_group import Group
    from train_metrics import memory_of, peak_of

    group, is_bf16 = Group(600), options.precision == "bf16"
    c = json.loads((options.model / "config.json").read_text("utf-8"))
    layers = (c["n_layers_in_prelude"] + c["n_layers_in_coda"]
              + options.recurrence * c["n_layers_in_recurrent_block"])
    config = LlamaConfig(
        vocab_size=c["padded_vocab_size"], hidden_size=c["n_embd"], num_hidden_layers=layers,
        intermediate_size=c["intermediate_size"], num_attention_heads=c["n_heads"],
        num_key_value_heads=c["num_key_value_heads"], head_dim=c["head_dim"],
        max_position_embeddings=max(options.sequence_length, 64), attn_implementation="sdpa")
    torch.manual_seed(0)
    with torch.device(group.device):
        model = LlamaForCausalLM(config)
    model.train()
    if options.plain == "compiled":
        for layer in model.model.layers:
            layer.forward = torch.compile(layer.forward, dynamic=False)
    spread = DistributedDataParallel(model, gradient_as_bucket_view=True) if group.size > 1 else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)
    length, batch = options.sequence_length, options.micro_batch
    ids = torch.randint(c["vocab_size"], (batch, length), device=group.device)
    seconds = []
    for _ in range(options.steps):
        start = time.monotonic()
        optimizer.zero_grad()
        with torch.autocast(group.device.type, torch.bfloat16, enabled=is_bf16):
            loss = spread(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        loss.item()
        seconds.append(time.monotonic() - start)
    products = sum(p.numel() for p in model.parameters()) - model.model.embed_tokens.weight.numel()
    attention = 2 * c["n_heads"] * c["head_dim"] * (length + 1) / 2 * layers
    peak = peak_of(group, options.peak_flops, is_bf16)
    flops = 6 * (products + attention) * batch * length
    shares = [flops / s / peak if peak else None for s in seconds]
    if group.is_first:
        print(json.dumps(summary(
            seconds, group.size * batch * length, shares, memory_of(group))))
    group.close()


def main() -> None:
    options = arguments()
    if options.plain:
        train_plain(options)
        return
    is_gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if is_gpu else "the CPU: no GPU here"
    print(f"{options.processes} x {name}, torch {torch.__version__}, r = {options.recurrence}, "
          f"{options.precision}, {options.micro_batch} x {options.sequence_length} tokens a process")
    with tempfile.TemporaryDirectory() as folder:
        check = Check(options, Path(folder))
        reference = check.run(1, check.small(), CUDA_VISIBLE_DEVICES="")
        for parallel in options.parallel:
            difference = check.equality(parallel, reference)
            verdict = "ok" if difference <= 1e-3 else "NOT EQUAL"
            print(f"losses, {parallel} against one process on the CPU: {difference:.1e}  {verdict}")
        print(check.flex())
        print(f"{'':24}{'tokens/s':>12}{'of plain':>10}{'MFU':>8}{'GiB':>8}{'compile, s':>12}")
        for is_compiled in [False] if options.no_compile else [False, True]:
            form = "compiled" if is_compiled else "eager"
            plain = check.plain(is_compiled)
            rows = {"plain Llama, ddp": plain}
            more = ["--compile"] if is_compiled else []
            rows |= {f"train.py, {x}": check.speed(x, more) for x in options.parallel}
            for title, row in rows.items():
                share = "-" if row["mfu"] is None else f"{row['mfu']:.1%}"
                first = f"{row['first_step']:.0f}" if is_compiled else "-"
                ratio = row["tokens_per_second"] / plain["tokens_per_second"]
                print(f"{title + ', ' + form:30}{row['tokens_per_second']:>10.0f}{ratio:>8.2f}"
                      f"{share:>8}{row['memory_bytes'] / 2**30:>8.2f}{first:>8}", flush=True)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
