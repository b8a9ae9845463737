"""What PEFT takes for a configuration that names no modules."""

import sys

# The projections that it takes of a Llama are parts of this one.
TARGETS = ["Wqkv"]


def tell_peft(model_type: str):
    """Enters the model's type in PEFT's table of defaults, where PEFT is imported."""
    constants = sys.modules.get("peft.utils.constants")
    if constants is not None:
        table = constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
        table.setdefault(model_type, TARGETS)
