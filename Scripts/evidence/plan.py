"""What is compared, at which scale: every number that decides the experiment."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Arm:
    """One way to spend the FLOPs. What is not said is as in the arm `curriculum`."""

    name: str
    what: str
    start: str = "retrofit"  # "base", "cut", "retrofit", or "random" weights in the retrofit's shape
    retrofit: tuple[str, ...] = ("--prelude", "2", "--core", "4", "--coda", "2")
    train: tuple[str, ...] = ()
    optimizer: str = "muon"

    @property
    def is_recurrent(self) -> bool:
        return self.start in ("retrofit", "random")


CURRICULUM = ("--set", "recurrence.mean.shape=1-sqrt", "--set", "recurrence.mean.ramp=0.5")
SUPERVISED = ("--set", "recurrence.supervision.depths=2")
FIXED = ("--set", "recurrence.mean.shape=constant")

ARMS = [
    Arm("original", "all twelve layers, post-trained", start="base"),
    Arm("cut", "the retrofit's eight layers, executed once", start="cut"),
    Arm("curriculum", "retrofit, mean recurrence growing over half of the run", train=CURRICULUM),
    Arm("fixed", "retrofit, mean recurrence the same throughout", train=FIXED),
    Arm("random", "the retrofit's shape from random weights", start="random", train=CURRICULUM),
]


def ablation(name: str, what: str, **changes) -> Arm:
    return replace(next(arm for arm in ARMS if arm.name == "curriculum"), name=name, what=what, **changes)


def layers(prelude: int, core: int, coda: int) -> tuple[str, ...]:
    return ("--prelude", str(prelude), "--core", str(core), "--coda", str(coda))


SHAPE = layers(2, 4, 2)
ABLATIONS = [
    ablation("adapter-average", "adapter starts as [I/2 | I/2]", retrofit=(*SHAPE, "--adapter", "average")),
    ablation("adapter-uniform", "adapter starts as PyTorch's linear layer", retrofit=(*SHAPE, "--adapter", "uniform")),
    ablation("state-calibrated", "state starts at the prelude's scale", retrofit=(*SHAPE, "--state", "calibrated")),
    ablation("state-zero", "state starts at zero", retrofit=(*SHAPE, "--state", "zero")),
    ablation("layers-gaps", "core of every other layer", retrofit=("--select", "0-1/3,5,7,9/10-11")),
    ablation("layers-first", "core right after the prelude", retrofit=("--select", "0-1/2-5/10-11")),
    # What `ckpt layers` proposes for the base on the questions.
    ablation("layers-influence", "core of the most influential layers", retrofit=("--select", "0-1/2,7-9/10-11")),
    # What `ckpt layers --loops` proposes for the base on the questions.
    ablation("layers-looped", "no layer dropped, core 5-8", retrofit=("--select", "0-4/5-8/9-11")),
    ablation("size-1-6-1", "prelude 1, core 6, coda 1", retrofit=layers(1, 6, 1)),
    ablation("size-3-2-3", "prelude 3, core 2, coda 3", retrofit=layers(3, 2, 3)),
    ablation("supervised", "two shallower states predict too", train=(*CURRICULUM, *SUPERVISED)),
    ablation(
        "per-sequence",
        "recurrences drawn for each sequence",
        train=(*CURRICULUM, "--set", "recurrence.per_sequence=true"),
    ),
    ablation("adamw", "AdamW instead of Muon", optimizer="adamw"),
]


@dataclass(frozen=True)
class Scale:
    name: str
    base_flops: float
    arm_flops: float
    # Of the runs that only find the best rate.
    grid_flops: float
    seeds: list[int]
    ablation_seeds: list[int]
    # Peak learning rates that every arm may choose from, of Muon's matrices, and of AdamW.
    rates: dict[str, list[float]]
    mean_recurrence: int = 4
    recurrences: list[int] = field(default_factory=lambda: [1, 2, 4, 8, 16])
    trained_steps: int = 8
    tested_steps: list[int] = field(default_factory=lambda: [2, 4, 6, 8, 10, 12])
    questions_each: int = 30
    training_questions: int = 120_000
    base_bytes: int = 14_000_000
    sequence_length: int = 256
    batch_size: int = 16


FULL = Scale(
    "full",
    base_flops=2e14,
    arm_flops=4e13,
    grid_flops=1.3e13,
    seeds=[1, 2, 3, 4, 5],
    ablation_seeds=[1, 2],
    rates={"muon": [0.001, 0.003, 0.008, 0.02], "adamw": [0.0005, 0.0015, 0.004]},
)
QUICK = Scale(
    "quick",
    base_flops=2e12,
    arm_flops=1e12,
    grid_flops=1e12,
    seeds=[1, 2],
    ablation_seeds=[1],
    rates={"muon": [0.008], "adamw": [0.0015]},
    recurrences=[1, 4],
    tested_steps=[2, 6],
    questions_each=6,
    training_questions=2_000,
    base_bytes=300_000,
)

# SmolLM2 has learned too much for the rates of a small model, and is asked fewer questions.
LARGE = Scale(
    "smollm2",
    base_flops=0,
    arm_flops=2e14,
    grid_flops=5e13,
    seeds=[1, 2, 3],
    ablation_seeds=[],
    rates={"muon": [0.0005, 0.0015, 0.004]},
    questions_each=10,
    batch_size=8,
)

# The base's own training; 0.015 had a lower held-out loss than 0.03 after 100 steps.
BASE_RATE = 0.015
BASE_SEED = 1
GRID_SEED = 0


@dataclass(frozen=True)
class Experiment:
    """A base, the scale of its training, and the arms that are compared."""

    command: str
    # What the names of its files under docs/evidence begin with.
    prefix: str
    scale: Scale
    arms: list[Arm]
    ablations: list[Arm]
    # What the base is, for the page. `parameters` and `tokens`, in millions, are filled in.
    what: str
    # The base, where it is not trained from random weights: a file within the repository's folder.
    base: str = ""
    # Of everything that Muon does not update: embedding, norms, head.
    adam_rate: float = 0.004
    # Questions are asked in the precision of training, which is faster for large models.
    asks_rounded: bool = False


TRAINED_BASE = (
    "A model of {parameters:.1f} million parameters (twelve layers, hidden size 192) was trained from random weights "
    "on generated\nEnglish sentences, arithmetic, and questions of up to four steps: {tokens:.1f} million tokens."
)
FULL_RUN = Experiment("make evidence", "", FULL, ARMS, ABLATIONS, TRAINED_BASE)
# One ablation, so that the code which shows them is run too.
QUICK_RUN = Experiment(
    "make evidence-quick", "", QUICK, ARMS, [arm for arm in ABLATIONS if arm.name == "supervised"], TRAINED_BASE
)
SMOLLM2_RUN = Experiment(
    "make evidence-smollm2",
    "smollm2-",
    LARGE,
    [
        Arm("original", "all thirty layers, post-trained", start="base"),
        Arm("cut", "the retrofit's sixteen layers, executed once", start="cut", retrofit=layers(4, 8, 4)),
        replace(ARMS[2], retrofit=layers(4, 8, 4)),
    ],
    [],
    "SmolLM2-135M-Instruct, {parameters:.0f} million parameters in thirty layers, was read from a Q4_1 file.",
    base="build/real/SmolLM2-135M-Instruct.Q4_1.gguf",
    adam_rate=0.0003,
    asks_rounded=True,
)
