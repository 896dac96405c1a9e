"""A merge without gaps: what was asked for, the frames, the networks, and where the results go."""
