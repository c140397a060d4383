"""The documented service, started with the real framework in real environments."""
