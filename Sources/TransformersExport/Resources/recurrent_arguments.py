"""Checks of a call's arguments: what is misspelt, or no whole number, is an error."""

import operator

# Arguments that callers of transformers' models give, and that mean nothing here.
WITHOUT_MEANING = {"cache_position", "token_type_ids"}


def whole(number) -> int:
    """A number of passes; a fraction, or something that is no number, is an error."""
    try:
        if isinstance(number, bool):
            raise TypeError
        return operator.index(number)
    except TypeError:
        raise ValueError(f"num_steps has {number!r}, which is not a whole number") from None


def refuse_strangers(arguments: dict):
    """Refuses arguments that nothing here reads, such as those with a misspelt name."""
    strangers = [name for name in arguments if name not in WITHOUT_MEANING]
    if strangers:
        raise TypeError(f"forward got unexpected arguments: {', '.join(sorted(strangers))}")
