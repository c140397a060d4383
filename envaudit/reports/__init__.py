"""One file per report format; each holds one ``REPORT`` record."""
