"""Reading pictures of every kind, and the ordered map over threads."""

import threading

import numpy as np
import pytest

from core.errors import FormatError
from core.files.imageio import read_bgr, to_bgr8, write_image
from core.parallel import ordered_map


def test_text_file_named_jpg_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "fake.jpg"
    path.write_text("no picture")
    with pytest.raises(FormatError, match="fake.jpg: is not a readable image"):
        read_bgr(path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(FormatError, match="empty.png"):
        read_bgr(tmp_path / "empty.png")


@pytest.mark.parametrize("name", ["Лицо 1.png", "a" * 120 + ".png", "-leading.png"])
def test_pictures_under_any_name(tmp_path, name):
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    write_image(tmp_path / name, image)
    assert np.array_equal(read_bgr(tmp_path / name), image)


def test_grey_alpha_and_sixteen_bit_become_bgr8():
    assert np.array_equal(to_bgr8(np.full((2, 2), 7, np.uint8)), np.full((2, 2, 3), 7))
    assert to_bgr8(np.zeros((2, 2, 4), np.uint8)).shape == (2, 2, 3)
    assert to_bgr8(np.array([[0, 257, 65535]], np.uint16))[0, :, 0].tolist() == [0, 1, 255]


def test_results_come_in_order_and_errors_stay_with_their_item():
    def halve(number):
        if number == 5:
            raise ValueError("five")
        return number / 2

    outcomes = list(ordered_map(halve, range(10), workers=3))
    assert [outcome.item for outcome in outcomes] == list(range(10))
    assert [outcome.value for outcome in outcomes if outcome.error is None] == [n / 2 for n in range(10) if n != 5]
    assert str(outcomes[5].error) == "five"


def test_no_more_items_are_read_than_fit_the_window():
    taken, lock = [], threading.Lock()

    def numbers():
        for number in range(100):
            with lock:
                taken.append(number)
            yield number

    results = ordered_map(lambda number: number, numbers(), workers=2, ahead=2)
    next(results)
    assert len(taken) <= 4
    results.close()
