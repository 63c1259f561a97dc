"""Few-shot propagation: labelled volumes inserted into unlabelled ones, both as one video for SAM 2 (METHODS 7.1)."""
