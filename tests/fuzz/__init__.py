"""Coverage-guided fuzzing of what reads foreign bytes: ``python -m tests.fuzz artifacts --seconds 60``."""
