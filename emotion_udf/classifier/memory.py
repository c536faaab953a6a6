"""How memory runs out in torch."""

import re

import torch

# What torch's CPU allocator and oneDNN say; both raise a bare RuntimeError.
_ON_CPU = re.compile(r"can't allocate memory|not enough memory|bad_alloc|could not (create|allocate) a? ?memory")


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether a smaller batch could have passed."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and bool(_ON_CPU.search(str(error)))
