"""Packaging: ``pip install .`` gives the libraries and a ``deepfacelab-tf2`` command that is ``main.py``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(path):
    """Requirement lines of a pip file, without comments."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


# The builds of ONNX Runtime share one module, so an environment holds exactly one of them: each is an extra.
ONNX_RUNTIME = re.compile(r"onnxruntime\b")
ONNX_VERSIONS = next(line for line in requirements("requirements.txt") if ONNX_RUNTIME.match(line))[
    len("onnxruntime") :
]
ONNX_EXTRAS = {"onnx": "", "onnx-gpu": "-gpu", "directml": "-directml", "openvino": "-openvino"}

setup(
    name="deepfacelab-tf2",
    version=re.search(r'VERSION = "([^"]+)"', (ROOT / "core" / "version.py").read_text(encoding="utf-8")).group(1),
    description="A face-swapping toolkit with DeepFaceLab 2.0's workflow and files, on TensorFlow 2",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=[f"{name}*" for name in
                                    ("core", "facelib", "mainscripts", "merger", "models", "samplelib", "xseglib")]),
    py_modules=["main"],
    package_data={"facelib": ["aligners/*.npy", "registry/networks.yaml", "recognition/weights/*", "weights/README.md"], "mainscripts": ["jobs/steps.yaml"]},
    install_requires=[line for line in requirements("requirements.txt") if not ONNX_RUNTIME.match(line)],
    extras_require={
        **{extra: [f"onnxruntime{ending}{ONNX_VERSIONS}"] for extra, ending in ONNX_EXTRAS.items()},
        "jax": ["jax[cuda13]>=0.7; sys_platform == 'linux'"],
        "cuda": ["tensorflow[and-cuda]>=2.19,<2.22"],
        "test": requirements("tests/requirements.txt"),
    },
    entry_points={"console_scripts": ["deepfacelab-tf2=main:main"]},
)  # fmt: skip
