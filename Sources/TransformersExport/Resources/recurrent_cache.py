"""Caches with a place for every execution of a block, whatever kind of cache they are."""

import copy

from transformers import DynamicCache


def prepared_cache(cache, executions: int, passes: int):
    """`cache` with `executions` places; a new one where it is None.

    An empty one that was made for the number of layers in the configuration gets more places of its
    kind. Windows are kept by masks, so every place keeps all tokens.
    """
    if cache is None:
        return DynamicCache()
    if not hasattr(cache, "get_seq_length"):
        raise ValueError(f"the cache is a {type(cache).__name__}, not one of transformers' caches")
    count = len(cache)
    if count == executions and not has_windows(cache):
        return cache
    if is_used(cache):
        if count == executions:
            raise ValueError("the cache keeps windows alone; make it without a configuration")
        raise ValueError(
            f"the cache is for {count} executions of a block; {passes} passes need {executions}"
        )
    if count == 0:
        return cache
    if not hasattr(cache, "layers"):
        # Transformers before 4.56.
        return DynamicCache()
    template = whole_layer(cache.layers[0])
    cache.layers = [copy.deepcopy(template) for _ in range(executions)]
    return cache


def has_windows(cache) -> bool:
    """Whether some place of the cache forgets."""
    return any(getattr(layer, "is_sliding", False) for layer in getattr(cache, "layers", []))


def is_used(cache) -> bool:
    """Whether the cache holds tokens already."""
    layers = getattr(cache, "layers", None)
    if layers is None:
        return cache.get_seq_length() > 0
    return any(getattr(layer, "is_initialized", False) for layer in layers) and bool(
        cache.get_seq_length() > 0
    )


def whole_layer(layer):
    """An empty place that keeps all tokens, of the kind of `layer`."""
    if not getattr(layer, "is_sliding", False):
        return layer
    from transformers import cache_utils

    if "Static" in type(layer).__name__:
        return cache_utils.StaticLayer(max_cache_len=layer.max_cache_len)
    return cache_utils.DynamicLayer()


def key_count(cache, past, length: int):
    """Keys that attention meets: all places of a static cache, else those that were seen."""
    layers = getattr(cache, "layers", None)
    fixed = getattr(layers[0], "max_cache_len", None) if layers else None
    return past + length if fixed is None else fixed


def seen_length(cache):
    """Tokens in the cache: a number, or for a static cache a tensor of its own."""
    past = 0 if cache is None else cache.get_seq_length()
    return past.clone() if hasattr(past, "clone") else past
