"""Masked training: what lies outside of the mask does not count, and without it everything counts."""

import numpy as np
import pytest
import tensorflow as tf
from small_models import batch_for, saehd, weights

from core.nn import losses
from models.trainable_model import image_loss

SQUARE = slice(20, 44)
# The mask's border is softened; this many pixels further away nothing of it is left.
REACH = 5


def masked_batch(model, seed=0):
    """A batch whose masks are a square in the middle."""
    batch = batch_for(model, seed=seed)
    for side in ("src", "dst"):
        batch[f"target_{side}m"] = np.zeros_like(batch[f"target_{side}m"])
        batch[f"target_{side}m"][:, SQUARE, SQUARE] = 255
    return batch


def changed_targets(batch, inside):
    """The batch with other targets inside of the square, or outside of its soft border."""
    grown = slice(SQUARE.start - REACH, SQUARE.stop + REACH)
    place = np.zeros((64, 64), bool)
    place[SQUARE, SQUARE] = True
    if not inside:
        place[grown, grown] = True
        place = ~place
    changed = dict(batch)
    for name in ("target_src", "target_dst"):
        changed[name] = batch[name].copy()
        changed[name][:, place] = 255 - changed[name][:, place]
    return changed


def step(masked, batch_of, **options):
    """Losses and weights after one step of a model that always starts alike."""
    model = saehd(face_type="wf", masked_training=masked, **options)
    batch = batch_of(masked_batch(model))
    return model.train_one_iteration(batch), weights(model)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_only_what_is_inside_of_the_mask_counts(eager, masked, inside):
    first_losses, first_weights = step(masked, lambda batch: batch)
    other_losses, other_weights = step(masked, lambda batch: changed_targets(batch, inside))
    same = {name: np.array_equal(value, other_weights[name]) for name, value in first_weights.items()}
    if masked and not inside:
        np.testing.assert_array_equal(other_losses, first_losses)
        assert all(same.values())
    else:
        assert (np.abs(other_losses - first_losses) > 0.01).all()
        # The branch that draws the mask sees no picture.
        assert {name for name in same if same[name]} == {name for name in same if "upscalem" in name or "convm" in name}


@pytest.mark.parametrize("masked", [True, False])
def test_the_loss_is_that_of_the_softly_masked_or_of_the_whole_picture(eager, masked):
    model = saehd(face_type="wf", masked_training=masked)
    batch = masked_batch(model)
    batch["warped_src"], batch["warped_dst"] = batch["target_src"], batch["target_dst"]
    before = model.preview_tensors(batch)
    expected = []
    for side, letters in (("src", "ss"), ("dst", "dd")):
        target, mask = (batch[f"target_{side}{ending}"] / np.float32(255) for ending in ("", "m"))
        visible = losses.soft_mask(mask, 64) if masked else tf.ones_like(mask)
        loss = image_loss(target * visible, before[f"P_{letters}"] * visible, 64)
        expected.append(np.mean(loss + 10 * losses.mean_square(mask, before[f"Q_{letters}"])))
    np.testing.assert_allclose(model.train_one_iteration(batch), expected, rtol=1e-4)
