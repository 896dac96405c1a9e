"""What a training run feeds Quick96 with."""

from models.training.training_data import SwapData

UNWARPED_EVERY = 3


class Quick96Data(SwapData):
    """Batches of Quick96: slightly scaled faces without masks of eyes and mouth."""

    largest_scale = 0.05
    with_eyes_mouth = False

    def batch_number(self, iteration: int) -> int:
        """Which batch an iteration takes; every third takes none, as the model shows the one before again."""
        return iteration - (iteration - 1) // UNWARPED_EVERY if iteration else 0
