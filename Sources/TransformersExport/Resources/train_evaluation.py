"""The loss on held-out rows, which all processes measure together."""

import math

import torch

from train_data import Dataset
from train_group import Group
from train_loader import placed_on, rows_of
from train_recipe import Recipe


@torch.no_grad()
def held_out_losses(
    callable: torch.nn.Module, data: Dataset, recipe: Recipe, group: Group
) -> list[dict]:
    """`{"recurrence": r, "loss": nats}` of each recurrence that the recipe names."""
    held, size = data.held_out(recipe["evaluation.rows"]), recipe.micro_batch_size
    batches = [held[i:i + size] for i in range(0, len(held), size)]
    results = []
    for recurrence in recipe["evaluation.recurrences"]:
        sums = torch.zeros(2, dtype=torch.float64, device=group.device)
        # Every process runs as many batches, as the model may be spread over all of them.
        for first in range(0, len(batches), group.size):
            index = first + group.rank
            batch = batches[min(index, len(batches) - 1)]
            rows = placed_on(group.device, rows_of(data, batch, group, size))
            _, loss, _ = callable(*rows, (recurrence, 0), recipe["seed"])
            if index < len(batches):
                sums[0] += loss
                sums[1] += data.label_count(batch)
        total, count = group.sum(sums).tolist()
        results.append({"recurrence": recurrence, "loss": total / count if count else math.nan})
    return results
