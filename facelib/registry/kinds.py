"""What networks are for, and the ways of asking one."""

DETECTOR, LANDMARKS, RECOGNITION, PARSER = ROLES = ("detector", "landmarks", "recognition", "parser")
KINDS = {
    "yunet": DETECTOR, "scrfd": DETECTOR, "heatmaps_68": LANDMARKS, "points_68": LANDMARKS, "sface": RECOGNITION,
    "arcface": RECOGNITION, "bisenet": PARSER, "occluder": PARSER,
}  # fmt: skip
"""Ways of asking a network, with the role that each plays; docs/networks_of_yours.md says what goes in and comes out."""
