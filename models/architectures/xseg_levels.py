"""The shape of XSeg: its sizes and levels."""

RESOLUTION = 256
BOTTLENECK = 512
LOWEST_RESOLUTION = 4

# Per level from full size down: multiple of the base channels, number of convolutions, blur filter size.
LEVELS = ((1, 2, 4), (2, 2, 3), (4, 2, 2), (8, 3, 2), (8, 3, 2), (8, 3, 2))
