"""Recognise torch's out-of-memory errors."""

import re

import torch

# Messages of torch's CPU allocator and of oneDNN, which raise a bare RuntimeError.
_ON_CPU = re.compile(r"can't allocate memory|not enough memory|bad_alloc|could not (create|allocate) a? ?memory")


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory ran out, on a CPU or a GPU, so that a smaller batch may succeed."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and bool(_ON_CPU.search(str(error)))
