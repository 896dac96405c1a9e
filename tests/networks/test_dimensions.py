"""What each option of dimensions does to the networks, to their files and to what is said about files that do not fit."""

import re

import expected_shapes
import golden_vectors as golden
import numpy as np
import pytest

from core.errors import FormatError, UsageError
from core.networks.weight_files import read_weights
from core.nn.weights import dict_to_network, network_to_dict
from models.amp.model import Amp
from models.architectures.amp import AmpAutoencoder
from models.architectures.deepfake import DeepfakeAutoencoder
from models.base import SavedModel, open_trained
from models.option_values import ask_options, parse_assignments
from models.options import Context
from models.saehd.model import Saehd
from models.saved.model_files import model_data_to_bytes, read_model_data

SIZES = {"ae_dims": 6, "e_dims": 4, "d_dims": 8, "d_mask_dims": 2}
CHANGED = {"ae_dims": 10, "e_dims": 2, "d_dims": 6, "d_mask_dims": 4}
AMP_SIZES, AMP_CHANGED = SIZES | {"inter_dims": 12}, CHANGED | {"inter_dims": 20}
ARCHITECTURES = ("df", "df-ud", "df-t", "df-udtc", "liae", "liae-ud", "liae-udt")
RESOLUTION = 64
# Per option: which networks it changes, and one weight whose axis has just this many entries, as the guide puts it.
REACH = {
    "df": {
        "ae_dims": ({"inter", "decoder_src", "decoder_dst"}, ("inter", "dense1/weight:0", 1, 1)),
        "e_dims": ({"encoder", "inter"}, ("encoder", None, 3, 1)),
        "d_dims": ({"decoder_src", "decoder_dst"}, ("decoder_src", "out_conv/weight:0", 2, 2)),
        "d_mask_dims": ({"decoder_src", "decoder_dst"}, ("decoder_dst", "out_convm/weight:0", 2, None)),
    },
    "liae": {
        "ae_dims": ({"inter_AB", "inter_B", "decoder"}, ("inter_B", "dense1/weight:0", 1, 1)),
        "e_dims": ({"encoder", "inter_AB", "inter_B"}, ("encoder", None, 3, 1)),
        "d_dims": ({"decoder"}, ("decoder", "out_conv/weight:0", 2, 2)),
        "d_mask_dims": ({"decoder"}, ("decoder", "out_convm/weight:0", 2, None)),
    },
    "amp": {
        "ae_dims": ({"encoder", "inter_src", "inter_dst"}, ("encoder", "dense1/weight:0", 1, 1)),
        "inter_dims": ({"inter_src", "inter_dst", "decoder"}, ("decoder", "upscale0/conv1/weight:0", 2, 1)),
        "e_dims": ({"encoder"}, ("encoder", "down1/conv1/weight:0", 3, 1)),
        "d_dims": ({"decoder"}, ("decoder", "out_conv/weight:0", 2, 2)),
        "d_mask_dims": ({"decoder"}, ("decoder", "out_convm/weight:0", 2, 1)),
    },
}


def shapes_of(networks):
    """{net: {key: shape}} of real networks."""
    return {
        name: {key: value.shape for key, value in network_to_dict(network).items()}
        for name, network in networks.items()
    }


def swap(archi, **changes):
    """A SAEHD for use, (networks, shapes that DeepFaceLab's rules give)."""
    options = {"resolution": RESOLUTION, "archi": archi, **SIZES, **changes}
    model = Saehd(options | {"batch_size": 1, "face_type": "f"}, training=False, seed=1)
    return model.networks, expected_shapes.deepfake(**options)


def amp(**changes):
    """An AMP for use, (networks, shapes that DeepFaceLab's rules give)."""
    options = {"resolution": RESOLUTION, **AMP_SIZES, **changes}
    more = {"batch_size": 1, "face_type": "f", "morph_factor": 0.5}
    return Amp(options | more, training=False, seed=1).networks, expected_shapes.amp(**options)


def check_reach(make, kind, option, letters, before, value):
    """Changing one option changes exactly the networks that it should, to the sizes that it names."""
    networks, expected = make(**{option: value})
    shapes = shapes_of(networks)
    assert shapes == expected
    reached, (net, key, axis, factor) = REACH[kind][option]
    assert {name for name in shapes if shapes[name] != before[name]} == reached
    if key is None:
        key = "down1/conv1/weight:0" if "t" in letters else "down1/downs_0/conv1/weight:0"
    if factor is None:
        factor = 1 if "d" in letters else 2
    assert shapes[net][key][axis] == factor * value
    return networks


@pytest.mark.parametrize("option", SIZES)
@pytest.mark.parametrize("archi", ARCHITECTURES)
def test_each_option_sizes_the_networks_that_it_names(archi, option):
    kind, _, letters = archi.partition("-")
    plain, expected = swap(archi)
    before = shapes_of(plain)
    assert before == expected
    changed = check_reach(lambda **sizes: swap(archi, **sizes), kind, option, letters, before, CHANGED[option])
    check_files_of_another_size(plain, changed, REACH[kind][option][0], option, CHANGED[option], SIZES[option])


@pytest.mark.parametrize("option", AMP_SIZES)
def test_each_option_sizes_the_networks_of_amp(option):
    plain, expected = amp()
    before = shapes_of(plain)
    assert before == expected
    changed = check_reach(amp, "amp", option, "dt", before, AMP_CHANGED[option])
    check_files_of_another_size(plain, changed, REACH["amp"][option][0], option, AMP_CHANGED[option], AMP_SIZES[option])


def check_files_of_another_size(plain, changed, reached, option, theirs, ours):
    """Weights of the other size are refused, naming just this option; all other networks take theirs."""
    named = 0
    for name, network in plain.items():
        stored = network_to_dict(changed[name])
        if name not in reached:
            dict_to_network(network, stored, f"new_{name}.npy")
            continue
        with pytest.raises(FormatError) as caught:
            dict_to_network(network, stored, f"new_{name}.npy")
        text = str(caught.value)
        # "code channels (from ae_dims or inter_dims, and df or liae) is 20 there and 12 here" names it as well.
        named += bool(re.search(rf"\b{option}\b[^;]* is {theirs} there and {ours} here", text))
        assert set(re.findall(r"\b(\w+_dims) is ", text)) <= {option} and option in text, text
        assert "archi is" not in text and "model class" not in text, text
    assert named


@pytest.mark.parametrize(
    "config", [name for name in golden.shapes() if name.startswith(("df", "liae", "amp", "quick"))]
)
def test_networks_have_the_shapes_that_deepfacelab_stored(config):
    """The networks against weight files of DeepFaceLab, and the rules of the other tests against both."""
    entry = golden.shapes()[config]
    autoencoder = (AmpAutoencoder if config == "amp" else DeepfakeAutoencoder)(**entry["params"])
    rules = expected_shapes.amp if config == "amp" else expected_shapes.deepfake
    stored = {net: {key: tuple(shape) for key, shape in shapes} for net, shapes in entry["nets"].items()}
    assert shapes_of(autoencoder.networks) == stored == rules(**entry["params"])
    for network in autoencoder.networks.values():
        read = network.options_of_weights(shapes_of({"one": network})["one"])
        known = {name: value for name, value in read.items() if name in entry["params"] and value is not None}
        assert known, network.name
        assert known == {name: entry["params"][name] for name in known}, network.name


SAVED = {
    "SAEHD": ("archi=liae-udt", "resolution=96", "ae_dims=33", "e_dims=17", "d_dims=22", "d_mask_dims=20"),
    "AMP": ("resolution=96", "ae_dims=33", "inter_dims=35", "e_dims=17", "d_dims=22", "d_mask_dims=20"),
}


@pytest.fixture(params=SAVED)
def saved(request, tmp_path):
    """A model of odd sizes on disk, its options given as by ``--set``."""
    first = SavedModel(tmp_path, request.param, "t")
    given = parse_assignments(request.param, SAVED[request.param])
    first.data.options = ask_options(request.param, {}, {}, given, Context(), True, False, silent=True)
    first.build(seed=1)
    first.data.iteration = 1
    first.save()
    return first


def test_a_saved_model_reopens_with_its_dimensions(saved):
    dimensions = {"ae_dims": 33, "e_dims": 18, "d_dims": 22, "d_mask_dims": 20}
    expected = (
        expected_shapes.amp(96, inter_dims=35, **dimensions)
        if saved.class_name == "AMP"
        else expected_shapes.deepfake(96, "liae-udt", **dimensions)
    )
    stored = {net: read_weights(saved.model_dir / saved.weight_name(net)) for net in expected}
    assert {net: {key: value.shape for key, value in values.items()} for net, values in stored.items()} == expected
    reopened = open_trained(saved.model_dir, saved.class_name, "t")
    assert shapes_of(reopened.network.networks) == expected
    for net, values in stored.items():
        for key, value in network_to_dict(reopened.network.networks[net]).items():
            np.testing.assert_array_equal(value, values[key])
    assert reopened.network.predict(np.zeros((1, 96, 96, 3), np.float32))[0].shape == (1, 96, 96, 3)
    assert f"ae_dims: {33}" in saved.summary()


def test_a_model_is_not_opened_with_other_dimensions(saved):
    path, intact = saved.state_path, saved.state_path.read_bytes()
    for option in SIZES | ({"inter_dims": 0} if saved.class_name == "AMP" else {}):
        value = saved.data.options[option]
        with pytest.raises(UsageError, match=f"{option} is fixed after the first run: this model has {value}"):
            ask_options(saved.class_name, saved.data.options, {}, {option: value + 4}, Context(), False, False)
        data = read_model_data(path)
        data.options[option] = value + 4
        path.write_bytes(model_data_to_bytes(data))
        # An inter of AMP tells inter_dims by a product: 9 cells of the code.
        sizes = (9 * value, 9 * (value + 4)) if option == "inter_dims" else (value, value + 4)
        with pytest.raises(FormatError, match=rf"\b{option}\b[^;]* is {sizes[0]} there and {sizes[1]} here"):
            open_trained(saved.model_dir, saved.class_name, "t")
        path.write_bytes(intact)
