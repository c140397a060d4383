"""One file per kind of place that can be looked at; each holds one ``TARGET`` record."""
