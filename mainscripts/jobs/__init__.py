"""Jobs: the numbered steps as data, and a list of them run one after the other."""
