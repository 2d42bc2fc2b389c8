cephfs_sources =
