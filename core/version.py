"""The program's name and version, as written into logs, manifests and packages."""

NAME = "deepfacelab-tf2"
VERSION = "0.2.0"
