"""The error of a training whose loss is no number any more."""

from __future__ import annotations

from fetal_lib.errors import UserError


class DivergedFit(UserError, ArithmeticError):
    """The loss of a training is no number any more.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    loss : float
    """

    def __init__(self, epoch: int, loss: float) -> None:
        super().__init__(
            f"the loss of epoch {epoch} is {loss}; try -p precision=float32, or a smaller rate"
        )
