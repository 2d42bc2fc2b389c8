roma_headers = \
	include/roma/version.h

romaincludedir = $(includedir)/roma
romainclude_HEADERS = $(roma_headers)
