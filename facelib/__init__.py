"""Faces in pictures: found, aligned, recognised."""
