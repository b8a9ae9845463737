/// What other tools call what there is here too.
enum ForeignWords {
  static let commands = [
    "finetune": "train", "fine-tune": "train", "heal": "train", "pretrain": "train",
    "evaluate": "eval", "test": "eval", "info": "inspect", "show": "inspect", "ls": "inspect",
    "run": "generate", "chat": "generate", "infer": "generate", "sample": "generate",
    "compare": "diff", "check": "verify", "quantize": "convert", "encode": "tokenize",
    "recur": "retrofit", "surgery": "retrofit", "upload": "pack",
  ]

  /// Options of the same meaning, of whichever command has the second.
  static let options = [
    "--out": "--output", "--output-dir": "--output", "--output-path": "--output",
    "--max-new-tokens": "--max-tokens", "--n-predict": "--max-tokens", "--temp": "--temperature",
    "--num-steps": "--recurrence", "--num-recurrences": "--recurrence", "--r": "--recurrence",
    "--overwrite": "--force", "--overwrite-output-dir": "--force", "--type": "--dtype",
    "--outtype": "--dtype", "--torch-dtype": "--dtype", "--seq-len": "--sequence-length",
    "--seq-length": "--sequence-length", "--max-length": "--sequence-length",
    "--max-seq-length": "--sequence-length", "--max-seq-len": "--sequence-length",
    "--n-threads": "--threads", "--num-threads": "--threads", "--dataset": "--data",
    "--train-file": "--data", "--top-n": "--top-k", "--silent": "--quiet",
  ]

  /// Options that no command has, and what to do instead.
  static let everywhere: [String: String] = {
    let device = "ckpt computes on the CPU; `ckpt export --to transformers` makes what runs on GPUs"
    return [
      "--device": device, "--gpu": device, "--gpus": device, "--cuda": device,
      "--n-gpu-layers": device,
      "--model": "the model is the first argument, without an option",
      "--model-path": "the model is the first argument, without an option",
      "--model-name-or-path": "the model is the first argument, without an option",
      "--num-fewshot": "`ckpt eval --shots N` puts solved examples before each question",
    ]
  }()

  /// Options of trainers, and what says the same to `ckpt train`.
  static let training: [String: String] = {
    var answers = [
      "--epochs": "write --set data.epochs=N to limit the passes; --steps says how long a run is",
      "--gradient-accumulation-steps":
        "--batch-size counts all sequences of a step; --micro-batch-size says how many run at once",
      "--per-device-train-batch-size":
        "--micro-batch-size says how many sequences run at once, --batch-size how many a step has",
      "--bf16": "write --precision bf16",
      "--fp32": "write --precision float32",
      "--fp16": "fp16 is not supported; write --precision bf16",
      "--lora": "write --mode lora",
      "--gradient-checkpointing":
        "write --memory-budget BYTES: what does not fit is recomputed",
      "--max-grad-norm": "write --set optimizer.clip=NUMBER",
      "--weight-decay":
        "write --set optimizer.muon.weight_decay=NUMBER, or optimizer.adam.weight_decay",
    ]
    for (words, option) in [
      ("--lr --peak-lr --max-lr --learning-rate-peak", "--learning-rate"),
      ("--bs --global-batch-size --train-batch-size", "--batch-size"),
      ("--micro-bs --mbs", "--micro-batch-size"),
      (
        "--max-steps --num-train-steps --train-steps --iters --max-iters --num-iterations",
        "--steps"
      ),
      (
        "--seq-len --seq-length --block-size --context-length --max-length --max-seq-length "
          + "--max-seq-len --ctx-size", "--sequence-length"
      ),
      ("--warmup-steps --warmup-ratio --num-warmup-steps --lr-warmup", "--warmup"),
      ("--output-dir --out-dir --save-dir", "--output"),
      ("--eval-steps --eval-interval", "--eval-every"),
      ("--save-steps --save-interval --save-every", "--checkpoint-every"),
      ("--optim --opt", "--optimizer"), ("--lora-r --r", "--lora-rank"),
      ("--resume-from-checkpoint --resume-from", "--resume"),
      ("--config --config-file", "--recipe"), ("--dtype --mixed-precision", "--precision"),
      ("--dataset --train-file --data-path --train-data", "--data"),
      ("--grad-accum --gradient-accumulation --accumulate", "--micro-batch-size"),
    ] {
      for word in words.split(separator: " ") {
        answers[String(word)] = "here that is \(option)"
      }
    }
    for word in ["--grad-clip", "--clip-grad", "--clip"] {
      answers[word] = answers["--max-grad-norm"]
    }
    for word in ["--num-train-epochs", "--num-epochs", "--epoch"] {
      answers[word] = answers["--epochs"]
    }
    return answers
  }()
}
