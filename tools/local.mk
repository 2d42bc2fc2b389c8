# The program roma: bin_PROGRAMS += roma, roma_SOURCES, roma_LDADD = libroma.la $(JANSSON_LIBS); public headers only.
if TOOLS
endif
