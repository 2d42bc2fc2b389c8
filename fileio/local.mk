fileio_sources =
