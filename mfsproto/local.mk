# Files listed inside the condition are left out by --disable-mfsproto, with their tests and fuzz targets.
mfsproto_sources =
if MFSPROTO
endif
