"""What networks are for, and the ways of asking one."""

DETECTOR, LANDMARKS, RECOGNITION, PARSER, RESTORER = ROLES = (
    "detector",
    "landmarks",
    "recognition",
    "parser",
    "restorer",
)
KINDS = {
    "yunet": DETECTOR, "scrfd": DETECTOR, "heatmaps_68": LANDMARKS, "points_68": LANDMARKS, "sface": RECOGNITION,
    "arcface": RECOGNITION, "bisenet": PARSER, "occluder": PARSER, "ffhq": RESTORER,
}  # fmt: skip
"""Ways of asking a network, with the role that each plays; docs/networks_of_yours.md says what goes in and comes out."""
