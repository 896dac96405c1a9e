"""Two-pass mode, pre-sharpening and morph factor against numbers of the program that introduced them."""

import numpy as np
import pytest
from merge_stubs import first_set_networks, load, merge, read_json

from merger.settings.config import MergeConfig

INPUTS, GOLDEN = load("merge_inputs.npz"), load("two_pass_presharpen.npz")
CASES = read_json("two_pass_presharpen.json")


class SeeingNetworks:
    """Mixes what it sees into a stored face, so that a second pass differs from the first."""

    def __init__(self):
        self.fixed = first_set_networks()
        self.resolution, self.inputs, self.morphs = 64, [], []

    def predict(self, faces, morph):
        results = []
        for face in faces:
            self.inputs.append(face)
            self.morphs.append(morph)
            gain = 0.7 + 0.6 * face.mean()
            masks = (np.clip(mask * gain, 0, 1) for mask in (self.fixed.learned_prd, self.fixed.learned_dst))
            results.append((0.5 * face + 0.5 * self.fixed.face, *masks))
        return tuple(np.stack(parts) for parts in zip(*results, strict=True))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_fork_settings_equal_golden(case):
    settings = dict(case["cfg"])
    config = MergeConfig(color_transfer_mode=0, is_morphable=settings.pop("is_morphable", False)).updated(settings)
    networks = SeeingNetworks()
    result = merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], config, networks)
    assert np.abs(result.astype(int) - GOLDEN[case["name"]]).max() <= 2
    tolerance = 4 / 255 if config.pre_sharpen_power else 2 / 255  # sharpening enlarges the differences of the warp
    assert np.abs(networks.inputs[0] - GOLDEN[f"{case['name']}__input0_f16"].astype(np.float32)).max() <= tolerance
    assert len(networks.inputs) == case["predictor_calls"]
    assert networks.morphs == [1.0 if morph is None else morph for morph in case["morph"]]
