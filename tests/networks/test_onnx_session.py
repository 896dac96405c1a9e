"""A device that cannot run a network, or runs it wrongly, is told and left for the processor."""

import numpy as np
import pytest

from core.engines import Place
from core.errors import UserError
from core.networks import session
from core.networks.onnx_graph import OnnxGraph, WeightedGraph

WEIGHTS = {"conv/weight:0": np.full((3, 3, 3, 2), 0.1, np.float32), "dense/weight:0": np.ones((8, 4), np.float32)}
ON_CARD = Place("onnx", "cuda", 0)


def content(shift=0.0):
    graph = OnnxGraph("test")
    layers = WeightedGraph(graph, WEIGHTS, "test.npy")
    result = layers.convolution(graph.faces("face", None), "conv")
    graph.give("result", graph.add(result, graph.constant(shift)))
    return graph.to_bytes()


@pytest.fixture
def card(monkeypatch):
    """Makes the card's sessions: ``card(content or error)``."""
    make = session._session

    def prepare(answer):
        def on_card(data, place):
            if place.provider == "cpu":
                return make(data, place)
            if isinstance(answer, Exception):
                raise answer
            return make(answer, Place("onnx"))

        monkeypatch.setattr(session, "_session", on_card)

    return prepare


def test_a_card_that_computes_the_same_is_used(card, capsys):
    card(content(1e-6))
    [found] = session.OnnxNetwork(content(), ON_CARD, "Test").run(np.zeros((1, 8, 8, 3)))
    assert np.all(found == np.float32(1e-6)) and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (content(0.5), "Test: the results of CUDAExecutionProvider are wrong by"),
        (content(float("nan")), "Test: the results of CUDAExecutionProvider are wrong by"),
        (RuntimeError("no kernel for Conv\nmore"), "CUDAExecutionProvider cannot run it (no kernel for Conv). The processor does."),
    ],
)  # fmt: skip
def test_a_card_that_fails_is_told_and_left(card, capsys, answer, told):
    card(answer)
    [found] = session.OnnxNetwork(content(), ON_CARD, "Test").run(np.zeros((1, 8, 8, 3)))
    assert np.all(found == 0) and told in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_gives_up_silently_is_told(capsys):
    """ONNX Runtime goes on with the processor when the libraries of a provider are missing."""
    [found] = session.OnnxNetwork(content(), ON_CARD, "Test").run(np.zeros((1, 8, 8, 3)))
    told = capsys.readouterr().err
    assert (
        np.all(found == 0) and "Test: CUDAExecutionProvider cannot run it (" in told and "The processor does." in told
    )


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (Place("onnx", "cuda", 1), {"device_id": "1"}),
        (Place("onnx", "cuda"), {}),
        (Place("onnx", "openvino", 1), {"device_type": "GPU.1"}),
        (Place("onnx", "openvino"), {"device_type": "GPU"}),
        (Place("onnx", "directml", 0), {"device_id": "0"}),
        (Place("onnx", "coreml", 0), {}),
        (Place("onnx"), {}),
    ],
)
def test_each_provider_is_told_of_the_device_in_its_words(place, told):
    assert session._settings(place) == told


def test_weights_that_do_not_fit_together_are_a_users_error():
    graph = OnnxGraph("test")
    layers = WeightedGraph(graph, WEIGHTS, "test.npy")
    x = layers.dense(graph.flatten(graph.faces("face", 4)), "dense")
    graph.give("result", graph.unflatten(x, 1, 2, 2))
    with pytest.raises(UserError, match="tiny_SAEHD: the weights do not fit the options that are stored beside them"):
        session.OnnxNetwork(graph.to_bytes(), Place("onnx"), "tiny_SAEHD")
