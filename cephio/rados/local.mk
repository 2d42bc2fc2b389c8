rados_sources =
