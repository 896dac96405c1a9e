"""TensorFlow and ONNX Runtime on the same face pictures: how far their results are apart, and what each costs.

    python benchmarks/engines.py [FOLDER] [--faces 100] [--model-dir DIR --model SAEHD --name NAME] [--networks NAME ...]

FOLDER holds aligned face pictures; without one, faces are cut out of the demo's portraits, moved and lit otherwise. The networks
have new weights, as published ones may not be there; ``--model-dir`` adds a trained model of your own. Processor time a face, one
thread for each engine's operations as in the program.
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np

from core.engines import Place

PORTRAITS = Path(__file__).resolve().parents[1] / "scripts" / "demo_portraits"
BATCH = 4
ON_ONNX = Place("onnx")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--model-dir", type=Path)
    parser.add_argument("--model", default="SAEHD")
    parser.add_argument("--name")
    parser.add_argument("--networks", nargs="*", choices=list(NETWORKS), default=list(NETWORKS))
    options = parser.parse_args()
    pictures = face_pictures(options.folder, options.faces)
    print(f"{len(pictures)} faces\n")
    print("| network | largest difference | mean difference | TensorFlow, ms | ONNX Runtime, ms | ratio |")
    print("|---|---|---|---|---|---|")
    for name in options.networks:
        report(name, pictures, *NETWORKS[name]())
    if options.model_dir:
        report(f"{options.name}_{options.model}", pictures, *trained(options.model_dir, options.model, options.name))
    print(f"\nPeak memory of both together: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def report(name, pictures, plain, onnx, side, scale=1.0):
    """Print the line of one network: two functions of a batch, and the size and range of their pictures."""
    batches = []
    for start in range(0, len(pictures), BATCH):
        part = [
            cv2.resize(each, (side, side), interpolation=cv2.INTER_AREA) for each in pictures[start : start + BATCH]
        ]
        batches.append(np.stack(part).astype(np.float32) / 255 * scale)
    largest, total, count, seconds = 0.0, 0.0, 0, [0.0, 0.0]
    plain(batches[0]), onnx(batches[0])
    for batch in batches:
        results = []
        for number, function in enumerate((plain, onnx)):
            started = time.process_time()
            results.append([np.asarray(each) for each in function(batch)])
            seconds[number] += time.process_time() - started
        for ours, theirs in zip(*results, strict=True):
            # Of results that are no colours (scores, heat maps), as a part of the largest.
            apart = np.abs(ours - theirs) / max(1.0, float(np.abs(ours).max()))
            largest, total, count = max(largest, float(apart.max())), total + float(apart.sum()), count + apart.size
    times = [1000 * each / len(pictures) for each in seconds]
    print(
        f"| {name} | {largest:.1e} | {total / count:.1e} | {times[0]:.1f} | {times[1]:.1f} | {times[1] / times[0]:.2f} |",
        flush=True,
    )


def face_pictures(folder, count):
    """Face pictures (H, W, 3) uint8."""
    if folder is not None:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".png"))
        chosen = [paths[index] for index in np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)]
        return [cv2.imread(str(path)) for path in chosen]
    random = np.random.default_rng(0)
    portraits = [cv2.imread(str(path)) for path in sorted(PORTRAITS.glob("*.jpg"))]
    faces = []
    for number in range(count):
        portrait = portraits[number % len(portraits)]
        height, width = portrait.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-15, 15), random.uniform(0.9, 1.4))
        moved = cv2.warpAffine(portrait, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        faces.append(np.clip(moved * random.uniform(0.6, 1.3) + random.uniform(-20, 20), 0, 255).astype(np.uint8))
    return faces


# --- networks: (function of TensorFlow, of ONNX Runtime, side of the pictures, their range)


def onnx_function(graph, name, *more):
    """A network of ONNX Runtime as a function of a batch."""
    from core.networks.session import OnnxNetwork

    network = OnnxNetwork(graph.to_bytes(), ON_ONNX, name)
    return lambda batch: network.run(batch, *more)


def parts_of(networks):
    """Weights by stem, as a graph takes them."""
    from core.nn.weights import network_to_dict

    return {stem: (network_to_dict(network), stem) for stem, network in networks.items()}


def randomized(network):
    """The network with statistics that are not those of nothing; a new FAN gives no numbers."""
    random = np.random.default_rng(0)
    for variable in network.weights:
        noise = random.normal(0, 0.05, variable.shape).astype(np.float32)
        value = variable.numpy() + noise
        variable.assign(np.abs(value) + 0.5 if "running_var" in variable.path else value)
    return network


def swap(archi, resolution):
    """SAEHD."""
    import tensorflow as tf

    from models.architectures.deepfake import DeepfakeAutoencoder
    from models.architectures.onnx_deepfake import swap_graph

    model = DeepfakeAutoencoder(resolution, archi, 128, 48, 48, 16)
    graph = swap_graph(parts_of(model.networks), {"archi": archi, "resolution": resolution})
    return tf.function(model.swap), onnx_function(graph, "SAEHD"), resolution


def morph():
    """AMP."""
    import tensorflow as tf

    from models.architectures.amp import AmpAutoencoder
    from models.architectures.onnx_deepfake import morph_graph

    model = AmpAutoencoder(128, 128, 256, 48, 48, 16)
    graph = morph_graph(parts_of(model.networks), {"resolution": 128})
    plain = tf.function(lambda faces: model.swap(faces, tf.constant(0.75)))
    return plain, onnx_function(graph, "AMP", np.array([0.75], np.float32)), 128


def xseg():
    """XSeg."""
    import tensorflow as tf

    from models.architectures.onnx_xseg import xseg_graph
    from models.architectures.xseg import XSegNetwork

    network = XSegNetwork()
    graph = xseg_graph(parts_of({"XSeg_256": network}), {})
    return tf.function(lambda faces: [network(faces)[1]]), onnx_function(graph, "XSeg"), 256


def fan():
    """FAN."""
    import tensorflow as tf

    from core.nn.weights import network_to_dict
    from facelib.aligners.fan_network import FanNetwork
    from facelib.onnx_graphs import fan_graph

    network = randomized(FanNetwork())
    return (
        tf.function(lambda faces: [network(faces)]),
        onnx_function(fan_graph(network_to_dict(network), "2DFAN"), "FAN"),
        256,
    )


def s3fd():
    """S3FD."""
    import tensorflow as tf

    from core.nn.weights import network_to_dict
    from facelib.detectors.s3fd_network import S3fdNetwork
    from facelib.onnx_graphs import s3fd_graph

    network = S3fdNetwork()
    return tf.function(network), onnx_function(s3fd_graph(network_to_dict(network), "S3FD"), "S3FD"), 256, 255.0


def enhancer():
    """FaceEnhancer, on patches of its own size."""
    import tensorflow as tf

    from core.nn.weights import network_to_dict
    from facelib.enhancer_network import FaceEnhancerNetwork
    from facelib.onnx_graphs import enhancer_graph

    network = FaceEnhancerNetwork()
    one = tf.function(lambda patch: network(patch, np.full((1, 1), 0.2, np.float32), np.ones((1, 1), np.float32)))
    from core.networks.session import OnnxNetwork

    other = OnnxNetwork(enhancer_graph(network_to_dict(network), "FaceEnhancer").to_bytes(), ON_ONNX, "FaceEnhancer")
    numbers = np.full((1, 1), 0.2, np.float32), np.ones((1, 1), np.float32)
    return (
        lambda batch: [np.concatenate([one(face[None]) for face in batch])],
        lambda batch: [np.concatenate([other.run(face[None], *numbers)[0] for face in batch])],
        96,
    )


def trained(folder, kind, name):
    """A trained model, opened with each engine as merging opens it."""
    from models.base import open_for_inference

    plain, onnx = (open_for_inference(folder, kind, name, True, place) for place in (Place(), ON_ONNX))
    return plain.predict, onnx.predict, plain.resolution


NETWORKS = {
    "SAEHD df-ud 128": lambda: swap("df-ud", 128),
    "SAEHD liae-udt 128": lambda: swap("liae-udt", 128),
    "Quick96 (df-ud 96)": lambda: swap("df-ud", 96),
    "AMP 128": morph,
    "XSeg 256": xseg,
    "FAN": fan,
    "S3FD": s3fd,
    "FaceEnhancer": enhancer,
}

if __name__ == "__main__":
    main()
