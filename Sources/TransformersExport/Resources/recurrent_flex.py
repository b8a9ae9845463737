"""Which keys each query sees, as flex attention takes it: blocks of which no key is seen are left out.

Letters in shape comments: B batch, S tokens of a call.
"""

from typing import Optional

import torch


def visible_blocks(
    attention_mask: Optional[torch.Tensor],
    documents: Optional[torch.Tensor],
    window: Optional[int],
    x: torch.Tensor,
):
    """The `BlockMask` of a call without cache: of the tokens before it, a query sees those of its document
    and of a window, where there are any. attention_mask, documents: [B, S].

    A token of the padding sees itself, so that no row is empty; nobody else sees it.
    """
    from torch.nn.attention.flex_attention import create_block_mask

    real = None if attention_mask is None else attention_mask.bool()

    def sees(row, head, query, key):
        seen = key <= query
        if window is not None:
            seen = seen & (key > query - window)
        if documents is not None:
            seen = seen & (documents[row, query] == documents[row, key])
        return seen if real is None else seen & real[row, key] | (query == key)

    length = x.shape[1]
    # Compiled, it is made without a matrix of all pairs.
    return create_block_mask(
        sees, None if documents is None and real is None else x.shape[0], None, length, length,
        device=x.device, _compile=x.is_cuda)
