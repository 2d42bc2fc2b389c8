/* SPDX-License-Identifier: MIT */
/* roma help, roma help COMMAND, roma COMMAND --help. */
#include "tools/tool.h"

static const char places[] =
        "A place or object is named by a URI or a local path:\n"
        "  file:///folder/x               mfs://host[,host2][:9421]/path    (?export=/sub: the exported "
        "root)\n"
        "  s3://bucket/key                oss://, obs://, minio:// likewise\n"
        "  cephfs://fsname/path           rados://pool/key\n"
        "  name:path                      a store named in roma.conf\n"
        "  x  ./x  /x                     a local path (./na:me when it has a colon)\n"
        "  -                              standard input or output\n"
        "In a URI %25 is a percent sign and %3F a question mark; options follow as ?name=value&name=value.\n"
        "Passwords come from roma.conf or a file that it names, never from a command line.\n";

static const char codes[] =
        "Exit codes: 0 all went well; 1 some failure; 2 wrong use; 3 not found; 4 denied; 5 network or\n"
        "server not reached; 6 no space or quota; 7 bytes that should agree do not; 8 a change whose "
        "outcome\n"
        "is not known; 9 exists already, or is not the version asked for; 128 + number when ended by a "
        "signal\n"
        "(Ctrl-C: 130).\n";

static int list_all(struct tool *t)
{
        out(t, "usage: roma COMMAND [OPTION]... ARGUMENT...\n\n");
        for (const struct command *c = commands; c->name; c++)
                out(t, "  %-9s %s\n", c->name, c->summary);
        out(t, "\n%s\n%s\n`roma help COMMAND` tells more.\n", places, codes);
        return t->status;
}

int cmd_help(struct tool *t, int argc, char **argv)
{
        if (argc < 1)
                return list_all(t);
        const struct command *c = command_find(argv[0]);
        if (!c)
                return usage(t, "there is no command %s", argv[0]);
        out(t, "usage: roma %s [OPTION]... %s\n\n%s\n", c->name, c->usage, c->help);
        options_help(t, c);
        return t->status;
}
