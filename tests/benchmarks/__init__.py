"""``make bench``: speed as ratios against a floor or a peer, measured in the same run (never in the tests)."""
