"""The stages of a run: order, bounded memory, kinds of pictures, retries, copies and losses."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from merge_stubs import first_set_networks, load

from merger import compose
from merger.frames import Frame
from merger.pipeline import Job, merge_frames
from merger.settings.config import MergeConfig

INPUTS = load("merge_inputs.npz")


def jobs_of(count, config=None, faces=(INPUTS["lm_A"],)):
    config = config or MergeConfig(color_transfer_mode=0)
    return [Job(Frame(i, Path(f"{i}.png"), faces), config, INPUTS["frame_u8"]) for i in range(count)]


def run(jobs, networks=None, write=lambda job, image, mask: (image, mask), **options):
    return list(merge_frames(jobs, networks or first_set_networks(), write, **options))


@pytest.mark.parametrize("workers, batch", [(1, 1), (2, 4), (4, 3)])
def test_results_come_in_order_and_batches_are_full(workers, batch):
    networks = first_set_networks()
    results = run(jobs_of(12), networks, workers=workers, batch_size=batch)
    assert [merged.job.frame.index for merged in results] == list(range(12))
    assert all(merged.error is None for merged in results)
    assert networks.calls == -(-12 // batch)


def test_few_frames_are_held():
    written, taken, most = [0], [0], [0]
    lock = threading.Lock()

    def stream():
        for job in jobs_of(80):
            with lock:
                taken[0] += 1
                most[0] = max(most[0], taken[0] - written[0])
            yield job

    def write(job, image, mask):
        with lock:
            written[0] += 1

    for _ in merge_frames(stream(), first_set_networks(), write, 2, 4):
        pass
    assert written[0] == 80 and most[0] <= 40


@pytest.mark.parametrize("kind", ["grey", "grey16", "alpha", "bgr16", "jpg"])
def test_any_kind_of_picture_becomes_eight_bit_colour(tmp_path, kind):
    frame = INPUTS["frame_u8"]
    pictures = {
        "grey": frame[..., 0],
        "grey16": frame[..., 0].astype(np.uint16) * 257,
        "alpha": np.dstack([frame, np.full(frame.shape[:2], 7, np.uint8)]),
        "bgr16": frame.astype(np.uint16) * 257,
        "jpg": frame,
    }
    path = tmp_path / f"1.{'jpg' if kind == 'jpg' else 'png'}"
    cv2.imwrite(str(path), pictures[kind])
    for faces in ((), (INPUTS["lm_A"],)):
        merged = run([Job(Frame(0, path, faces), MergeConfig())])[0]
        assert merged.error is None
        image, mask = merged.written
        assert image.shape == frame.shape and image.dtype == np.uint8 and mask.shape == frame.shape[:2]
        assert mask.any() == bool(faces)
        if kind in ("alpha", "bgr16"):
            assert np.array_equal(image[mask == 0], frame[mask == 0])


def test_frames_without_faces_in_raw_predict_are_black_squares():
    for power, size in ((0, 64), (10, 256)):
        config = MergeConfig(mode="raw-predict", super_resolution_power=power)
        image, mask = run(jobs_of(1, config, ()))[0].written
        assert image.shape == (size, size, 3) and not image.any() and mask.shape == (size, size) and not mask.any()


def failing(monkeypatch, times, frame=2):
    """Make the composition of one frame fail some times."""
    real, left = compose.compose_frame, [times]

    def compose_frame(image, faces, config, motion):
        if motion is MARK and left[0]:
            left[0] -= 1
            raise ValueError("bad frame")
        return real(image, faces, config, motion)

    monkeypatch.setattr(compose, "compose_frame", compose_frame)
    jobs = jobs_of(5)
    jobs[frame] = Job(Frame(frame, Path("bad.png"), (INPUTS["lm_A"],), MARK), jobs[frame].config, INPUTS["frame_u8"])
    return run(jobs, workers=2)


MARK = compose.Motion(1.0, 2.0)


def test_a_frame_that_fails_once_is_merged(monkeypatch):
    results = failing(monkeypatch, 1)
    assert all(merged.error is None for merged in results) and results[2].written[1].any()


def test_a_frame_that_fails_twice_is_copied(monkeypatch):
    results = failing(monkeypatch, 2)
    assert [merged.error is None for merged in results] == [True, True, False, True, True]
    image, mask = results[2].written
    assert str(results[2].error) == "bad frame" and not results[2].lost
    assert np.array_equal(image, INPUTS["frame_u8"]) and not mask.any()


def test_a_face_that_the_network_refuses_does_not_take_its_batch_along():
    networks = first_set_networks()
    predict = networks.predict

    def refusing(faces, morph):
        if any(face.max() == 0 for face in faces):
            raise RuntimeError("black face")
        return predict(faces, morph)

    networks.predict = refusing
    jobs = jobs_of(6)
    jobs[3] = Job(jobs[3].frame, jobs[3].config, np.zeros_like(INPUTS["frame_u8"]))
    results = run(jobs, networks, batch_size=6)
    assert [merged.error is None for merged in results] == [True, True, True, False, True, True]


def test_results_that_cannot_be_written_are_lost_not_silent():
    def write(job, image, mask):
        if job.frame.index == 1:
            raise OSError("disk full")

    results = run(jobs_of(3), write=write)
    assert [merged.lost for merged in results] == [False, True, False]
    assert "disk full" in str(results[1].error)
