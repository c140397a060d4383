"""One file per kind of fact; each holds one ``COLLECTOR`` record."""
