"""Which faces are drawn, how samples are made of them, and how batches reach the trainer."""

import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from core.random_streams import generator
from facelib import landmarks
from facelib.alignment import face_matrix
from facelib.face_type import FaceType
from samplelib.faceset import load_faceset
from samplelib.training.augment import Augmentation, full_mask, make_sample, prepare_face, shift_hsv
from samplelib.training.face_store import CacheBudget, FaceStore, plain_picture_store, swap_face_store, yaws_of
from samplelib.training.samplers import BatchLoader, SwapSampleStream, swap_augmentations, swap_batch_maker
from samplelib.training.shuffled_order import YAW_GRID, EvenYawOrder, ShuffledOrder, yaw_bins
from samplelib.training.xseg_samples import (
    LabelledFace,
    faded_circle,
    labelled_sample,
    levels,
    motion_kernel,
    prepare_labelled,
    pretraining_sample,
)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_an_order_gives_every_index_once_a_pass(count, seed):
    order = ShuffledOrder(count, (seed,))
    for number in range(3):
        assert sorted(order.index_at(number * count + place) for place in range(count)) == list(range(count))
    assert [order.index_at(place) for place in range(2 * count)] == [
        ShuffledOrder(count, (seed,)).index_at(p) for p in range(2 * count)
    ]


def test_yaw_bins_follow_the_grid():
    yaws = -np.array([-3.0, -1.2, YAW_GRID[5], YAW_GRID[5] + 1e-6, YAW_GRID[6] - 1e-6, 1.2, 3.0])
    assert list(yaw_bins(yaws)) == [0, 0, 5, 5, 5, 127, 127]


def test_rare_angles_come_as_often_as_common_ones():
    yaws = np.array([0.0] * 97 + [1.0, -1.0, 0.5])
    order = EvenYawOrder(yaws, (1,))
    drawn = [order.index_at(place) for place in range(400)]
    counts = np.bincount(drawn, minlength=100)
    assert list(counts[97:]) == [100, 100, 100]
    assert counts[:97].sum() == 100 and counts[:97].max() <= 2


@pytest.fixture(scope="module")
def samples(facesets):
    return load_faceset(facesets[0])


def stream(samples, augmentation=None, seed=(1, 0), resolution=64, face_type=FaceType.FULL, **arguments):
    store = swap_face_store(samples, face_type, resolution, CacheBudget(10**8))
    return SwapSampleStream(store, augmentation or Augmentation(), seed, **arguments)


def test_a_sample_depends_on_its_place_alone(samples):
    first, second = stream(samples), stream(samples)
    second.sample(11)
    for one, other in zip(first.sample(5), second.sample(5)):
        np.testing.assert_array_equal(one, other)
    assert any((a != b).any() for a, b in zip(first.sample(5), first.sample(6)))


def test_a_sample_stays_as_it_is_when_the_next_one_is_made(samples):
    """The arrays that a thread works in are not handed out."""
    made = stream(samples, Augmentation(flip=True, hsv_power=0.1))
    first = made.sample(0)
    copies = [array.copy() for array in first]
    for place in range(1, 6):
        made.sample(place)
    for array, copy in zip(first, copies):
        np.testing.assert_array_equal(array, copy)


def test_shapes_types_and_ranges(samples):
    warped, target, mask, eyes_mouth = stream(samples, Augmentation(flip=True)).sample(0)
    assert warped.shape == target.shape == (64, 64, 3) and mask.shape == eyes_mouth.shape == (64, 64, 1)
    assert {array.dtype for array in (warped, target, mask, eyes_mouth)} == {np.dtype(np.uint8)}
    assert eyes_mouth.max() == 255 and mask.max() == 255
    assert not ((eyes_mouth > 40) & (mask == 0)).any()


def test_face_type_step_matches_the_alignment(samples):
    sample = samples[0]
    picture, metadata = sample.read_bgr(), sample.metadata
    face = prepare_face(picture, metadata, FaceType.FULL, 64)
    matrix = face_matrix(metadata.landmarks, 64, FaceType.FULL)
    wanted = cv2.warpAffine(picture, matrix, (64, 64), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(face.picture, wanted)
    hull = landmarks.hull_mask(picture.shape, metadata.landmarks)
    wanted_mask = cv2.warpAffine(hull[..., 0], matrix, (64, 64), flags=cv2.INTER_LINEAR)
    np.testing.assert_allclose(face.mask / 255, wanted_mask, atol=0.003)
    same = prepare_face(picture, metadata, FaceType.WHOLE_FACE, 64)
    np.testing.assert_array_equal(same.picture, cv2.resize(picture, (64, 64), interpolation=cv2.INTER_CUBIC))
    untouched = prepare_face(picture, metadata, FaceType.WHOLE_FACE, picture.shape[0])
    np.testing.assert_array_equal(untouched.picture, picture)


def test_an_applied_mask_wins_over_the_hull_and_stays_soft(samples):
    soft = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))[..., None]
    metadata = samples[0].metadata.with_xseg_mask(soft)
    mask = full_mask((128, 128, 3), metadata)
    wanted = np.clip(
        cv2.resize((soft[..., 0] * 255).astype(np.uint8) / np.float32(255), (128, 128), interpolation=2), 0, 1
    )
    np.testing.assert_allclose(mask, wanted, atol=1e-5)
    assert 0.4 < mask[64, 64] < 0.6


def test_without_warp_input_and_target_are_one(samples):
    warped, target, _, _ = stream(samples, Augmentation(warp=False)).sample(3)
    np.testing.assert_array_equal(warped, target)
    with_warp = stream(samples, Augmentation(warp=True)).sample(3)
    np.testing.assert_array_equal(with_warp[1], target)
    assert (with_warp[0] != target).any()


def test_hsv_changes_the_input_alone(samples):
    changed = stream(samples, Augmentation(warp=False, hsv_power=0.3)).sample(3)
    plain = stream(samples, Augmentation(warp=False)).sample(3)
    np.testing.assert_array_equal(changed[1], plain[1])
    assert np.abs(changed[0].astype(int) - plain[0]).mean() > 1


def test_hsv_ranges():
    picture = np.full((4, 4, 3), (0.2, 0.3, 0.5), np.float32)
    hues, saturations, values = [], [], []
    for seed in range(400):
        hue, saturation, value = cv2.cvtColor(shift_hsv(picture, 0.1, generator(seed)), cv2.COLOR_BGR2HSV)[0, 0]
        hues.append(hue), saturations.append(saturation), values.append(value)
    start = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV)[0, 0]
    assert np.abs((np.array(hues) - start[0] + 180) % 360 - 180).max() <= 18.01
    assert np.abs(saturations - start[1]).max() <= 0.0501 and np.abs(values - start[2]).max() <= 0.0501
    assert np.std(values) == pytest.approx(0.1 / np.sqrt(12), rel=0.1)


@pytest.mark.parametrize("mode", ["rct", "lct", "mkl", "idt", "sot"])
def test_colour_transfer_reaches_input_and_target(samples, facesets, mode):
    partners = plain_picture_store(load_faceset(facesets[1]), 64, CacheBudget(10**8))
    moved = stream(samples, Augmentation(warp=False, ct_mode=mode), partners=partners).sample(2)
    plain = stream(samples, Augmentation(warp=False)).sample(2)
    assert np.abs(moved[1].astype(int) - plain[1]).mean() > 3
    difference = np.abs(moved[0].astype(int) - moved[1]).max()
    assert (difference > 0) == (mode in ("idt", "sot"))
    shared = stream(samples, Augmentation(warp=False, ct_mode=mode, ct_shared=True), partners=partners).sample(2)
    np.testing.assert_array_equal(shared[0], shared[1])


def test_options_change_the_samples_of_the_side_they_are_for():
    options = {
        "random_warp": True,
        "random_src_flip": True,
        "random_dst_flip": False,
        "random_hsv_power": 0.2,
        "ct_mode": "rct",
    }
    source, destination = swap_augmentations(options, 0.15)
    assert source == Augmentation(flip=True, hsv_power=0.2, ct_mode="rct") and destination == Augmentation()
    source, destination = swap_augmentations({**options, "random_src_flip": False, "random_dst_flip": True}, 0.15)
    assert (source.flip, destination.flip) == (False, True)
    assert not any(side.warp for side in swap_augmentations({**options, "random_warp": False}, 0.15))
    assert [side.scale for side in swap_augmentations(options, 0.05)] == [0.05, 0.05]


def test_eyes_and_mouth_reach_full_strength(samples):
    face = prepare_face(samples[0].read_bgr(), samples[0].metadata, FaceType.WHOLE_FACE, 64)
    weak = type(face)(face.picture, face.mask, (face.eyes_mouth * 0.3).astype(np.uint8))
    assert make_sample(weak, Augmentation(), generator(1), generator(2))[3].max() == 255
    none = type(face)(face.picture, face.mask, np.zeros_like(face.mask))
    assert make_sample(none, Augmentation(), generator(1), generator(2))[3].max() == 0


def test_cache_stays_within_its_budget(samples):
    budget = CacheBudget(3 * (64 * 64 * 5))
    store = swap_face_store(samples, FaceType.FULL, 64, budget)
    for index in range(len(store)):
        assert store.get(index) is not None
    assert budget.used == 3 * 64 * 64 * 5
    assert store.get(0) is store.get(0) and store.get(5) is not store.get(5)


def test_a_broken_file_is_named_once_and_replaced(samples, capsys):
    def prepare(sample):
        if sample.name == "00002_0.jpg":
            raise UserError("broken.")
        return np.zeros(4)

    store = FaceStore(samples, prepare, CacheBudget(10**6))
    for _ in range(3):
        index, face = store.get_any(2, (1,))
        assert index != 2 and face is not None
    assert capsys.readouterr().err.count("00002_0.jpg: broken. The face is left out.") == 1
    assert store.broken_names == ["00002_0.jpg"]


def test_a_set_of_broken_files_ends_with_an_error(samples):
    def prepare(sample):
        raise UserError("broken.")

    store = FaceStore(samples, prepare, CacheBudget(10**6))
    with pytest.raises(UserError, match="none of the 8 faces can be used"):
        store.get_any(0, (1,))


def test_yaws_see_the_turn(tmp_path):
    from conftest import write_face

    for number, yaw in enumerate((-0.8, 0.0, 0.8)):
        write_face(tmp_path / f"{number}.jpg", number, 10, yaw=yaw)
    left, middle, right = yaws_of(load_faceset(tmp_path))
    assert abs(middle) < 0.15 and min(abs(left), abs(right)) > 0.3 and left * right < 0


def test_batches_come_in_order_whatever_the_threads_do():
    def make(number):
        threading.Event().wait(0.002 * (number % 3))
        return {"number": number}

    loader = BatchLoader(make, first=5, workers=4)
    assert [loader.next()["number"] for _ in range(30)] == list(range(5, 35))
    assert loader.position == 35
    loader.close()
    assert not any(thread.name.startswith("samples_") for thread in threading.enumerate())


def test_the_loader_works_ahead_but_not_without_end():
    made = []
    loader = BatchLoader(lambda number: made.append(number) or {"n": number}, workers=2, ahead=3)
    loader.next()
    threading.Event().wait(0.2)
    assert sorted(made) == [0, 1, 2, 3]
    loader.close()


@pytest.mark.parametrize(
    ("error", "message"), [(UserError("no face"), "no face"), (ValueError("shape"), "ValueError: shape")]
)
def test_a_failing_worker_raises_in_the_trainer(error, message):
    def make(number):
        if number == 3:
            raise error
        return {"n": number}

    loader = BatchLoader(make, workers=2)
    with pytest.raises(UserError, match=message):
        for _ in range(10):
            loader.next()
    loader.close()


def test_batch_names_and_shapes(samples):
    make = swap_batch_maker(stream(samples, seed=(1, 0)), stream(samples, seed=(1, 1)), 3)
    batch = make(2)
    assert list(batch) == [
        f"{kind.format(side)}"
        for side in ("src", "dst")
        for kind in ("warped_{}", "target_{}", "target_{}m", "target_{}m_em")
    ]
    assert batch["warped_src"].shape == (3, 64, 64, 3) and batch["target_dstm_em"].shape == (3, 64, 64, 1)
    np.testing.assert_array_equal(batch["target_src"][1], stream(samples, seed=(1, 0)).sample(7)[1])


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    from conftest import make_faceset

    folder = make_faceset(tmp_path_factory.mktemp("labelled"), 3, size=128, labelled=True)
    return [prepare_labelled(sample, FaceType.WHOLE_FACE, True) for sample in load_faceset(folder)]


def test_xseg_labels_stay_binary_and_cover_the_face(labelled):
    for seed in range(40):
        image, mask = labelled_sample(labelled[0], generator(seed, 0), generator(seed, 1), labelled[seed % 3])
        assert image.shape == (256, 256, 3) and image.dtype == np.uint8
        assert mask.shape == (256, 256, 1) and set(np.unique(mask)) <= {0, 255}
        assert 0.05 < (mask > 0).mean() < 0.6


def test_xseg_label_moves_with_the_picture():
    face = np.zeros((256, 256, 3), np.uint8)
    face[80:180, 90:170] = 255
    label = face[..., 0].copy()
    agreements = []
    for seed in range(30):
        image, mask = labelled_sample(LabelledFace(face, label), generator(seed, 0), generator(seed, 1))
        inside, outside = image[mask[..., 0] > 0].mean(), image[mask[..., 0] == 0].mean()
        agreements.append(inside > outside + 30)
    assert np.mean(agreements) > 0.85


def test_xseg_pretraining_target_is_the_grey_input(labelled):
    image, grey = pretraining_sample(labelled[0].picture, generator(1), generator(2))
    wanted = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert np.abs(grey[..., 0].astype(int) - wanted).max() <= 1


def test_xseg_applied_masks_are_cut_at_one_half(samples):
    mask = np.zeros((64, 64, 1), np.float32)
    mask[:, 32:] = 0.7
    mask[:, :10] = 0.3
    sample = samples[0]
    changed = type(sample)(
        sample.name, sample.shape, sample.path, sample.read_bytes, lambda: sample.metadata.with_xseg_mask(mask)
    )
    label = prepare_labelled(changed, FaceType.WHOLE_FACE, False).label
    assert label[128, 40] == 0 and label[128, 200] == 255


def test_effects_of_xseg():
    for seed in range(20):
        circle = faded_circle(generator(seed))
        assert circle.shape == (256, 256, 1) and circle.min() >= 0 and circle.max() <= 1
        changed = levels(np.full((8, 8, 3), 0.5, np.float32), generator(seed))
        assert changed.min() >= 0 and changed.max() <= 1
    for size in range(1, 6):
        for degrees in (0, 45, 90, 200):
            assert motion_kernel(size, degrees).sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(motion_kernel(3, 0)[1], 1 / 3, atol=1e-6)
    np.testing.assert_allclose(motion_kernel(3, 90)[:, 1], 1 / 3, atol=1e-3)
