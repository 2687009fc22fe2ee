"""What a fit tells about itself while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One finished iteration, or (iteration 0) a message about what keeps the fit busy before the first.

    Attributes
    ----------
    iteration
        From 1; 0 before the first.
    iterations
        How many there will be.
    rmse
        Training error so far, in stars; NaN before the first iteration.
    message
        What is going on, empty for an ordinary iteration.
    """

    iteration: int
    iterations: int
    rmse: float
    message: str = ""


COMPILING = "compiling kernels, once"
