"""Keeps the garbage collector off objects that stay for ever, such as those of imported modules."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_objects() -> Iterator[None]:
    """Let the objects that are made in the block, and all before, stay for ever.

    Examining half a million objects of libraries again and again would slow imports by a tenth,
    hold the GIL later, and copy memory that workers share.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()
