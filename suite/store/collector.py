"""Making many objects at once without the garbage collector's walks over them; cheap to import."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Hundreds of thousands of new objects and no garbage: the cycle collector would only count them again and again.

    A whole plan of names takes a third of the time; a full read of the database likewise.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()  # and unfreeze: all of it counts as old, without a walk over it
            gc.unfreeze()
            gc.enable()


def keep_for_good() -> None:
    """Let the collector walk no more over what there is now: it takes 60 ms for 5,000 Services, in which nothing else is done.

    For once, when a program has taken in what it goes on from; cycles that are garbage by then stay for ever.
    """
    gc.freeze()
