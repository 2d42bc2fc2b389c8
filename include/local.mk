roma_headers = \
	include/roma/config.h \
	include/roma/conform.h \
	include/roma/ev.h \
	include/roma/file.h \
	include/roma/loop.h \
	include/roma/mfs.h \
	include/roma/layout.h \
	include/roma/presign.h \
	include/roma/reader.h \
	include/roma/result.h \
	include/roma/roma.h \
	include/roma/stats.h \
	include/roma/store.h \
	include/roma/trace.h \
	include/roma/transfer.h \
	include/roma/types.h \
	include/roma/upload.h \
	include/roma/version.h \
	include/roma/wire.h \
	include/roma/writer.h

romaincludedir = $(includedir)/roma
romainclude_HEADERS = $(roma_headers)
