/* SPDX-License-Identifier: MIT */
/* What the program can do: one line of this table for each command. */
#include <string.h>

#include "tools/tool.h"

#define SOURCES OPT_RECURSIVE | OPT_WRITE | OPT_JOBS

#define WHERE                                                                                                \
        "A destination that ends in a slash, or is a folder, means \"into this folder\"; any other is the\n" \
        "new name. "
#define WHOLE                                                                       \
        "An object appears whole or not at all. When one object fails the others\n" \
        "go on, and the exit code tells.\n"
#define INTO                                                                                         \
        WHERE                                                                                        \
        "With -r folders are carried over with all that is in them, missing folders are made, and\n" \
        "symbolic links inside are made again as links.\n" WHOLE

const struct command commands[] = {
        { "ls", cmd_ls, "URI...", "what is in a folder",
          "Lists folders, and shows objects that are named. Folders end in a slash. On a terminal control\n"
          "characters in names are shown as question marks; elsewhere names come as they are.\n",
          OPT_RECURSIVE | OPT_LONG | OPT_MAX | OPT_ALL },
        { "stat", cmd_stat, "URI...", "attributes of an object",
          "Shows all that the store knows about an object without reading it.\n",
          OPT_NOFOLLOW | OPT_CONDITION },
        { "cat", cmd_cat, "URI...", "objects to standard output",
          "Writes objects, or with --offset and --length a range of each, to standard output.\n",
          OPT_RANGE | OPT_CONDITION },
        { "get", cmd_get, "URI... LOCAL", "objects to local files",
          "Copies objects to local files; - is standard output. A destination that is not a regular file (a\n"
          "FIFO, a device) is written in place and never replaced.\n\n" INTO,
          SOURCES | OPT_CONDITION },
        { "put", cmd_put, "LOCAL... URI", "local files to a store",
          "Copies local files into a store; - is standard input. A source that changes, shrinks or vanishes\n"
          "while it is read is a failure, and nothing is shown under the new name.\n\n"
          "With --resume a file of more than 16 MiB (MooseFS: 64 MiB) is put as a multipart upload, which "
          "stays\n"
          "when it is interrupted, also by kill -9. The next put --resume to the same name takes it up and "
          "keeps\n"
          "the parts whose MD5 is still right. The object then has the type, metadata, mode and times with "
          "which\n"
          "the upload was begun: that is said, and what is asked for now and is not there is a failure (exit "
          "code\n"
          "1; the object is complete). An upload whose parts are too short or too long for that server is "
          "not\n"
          "taken up. `roma gc` collects uploads that nobody takes up.\n\n" INTO,
          SOURCES | OPT_SIZE_HINT | OPT_GO_ON | OPT_PROPS },
        { "cp", cmd_cp, "FROM... TO", "copies between any two stores",
          "Copies objects between stores, or within one; a name without a scheme is a local file.\n\n" INTO,
          SOURCES | OPT_SIZE_HINT | OPT_PROPS },
        { "mv", cmd_mv, "FROM... TO", "moves or renames",
          "Within a store this is a rename. Between stores an object is copied, the copy is read again and\n"
          "compared, and then the source is removed. On S3-like stores the server makes the copy. Folders "
          "are\n"
          "moved with all that is in them.\n\n" WHERE WHOLE,
          OPT_WRITE | OPT_JOBS },
        { "sync", cmd_sync, "FROM TO", "makes one folder hold what another holds",
          "Copies what TO does not have or has otherwise, between any two stores; with --delete what FROM "
          "does\n"
          "not have is removed from TO. The same is what has the same length and the same time of "
          "modification,\n"
          "in whole seconds (each copy gets the time of its source), or with --checksum the same content. "
          "On\n"
          "S3-like stores the time is kept as metadata, and asked for object by object. A run that was\n"
          "interrupted is continued by the next; when nothing has changed that moves nothing. Symbolic "
          "links\n"
          "are copied as links, times of folders are not. The last line says how many were copied, the same, "
          "and\n"
          "removed.\n",
          OPT_SYNC | OPT_JOBS | OPT_NO_TRASH },
        { "rm", cmd_rm, "URI...", "removes objects",
          "Removes objects, and with -r folders with all that is in them. Symbolic links are removed, never\n"
          "followed. The root of a store is never removed.\n",
          OPT_RECURSIVE | OPT_FORCE | OPT_NO_TRASH | OPT_JOBS },
        { "mkdir", cmd_mkdir, "URI...", "makes folders", "Makes folders; with -p also those above.\n",
          OPT_MKDIR },
        { "mb", cmd_mb, "URI...", "makes buckets", "Makes buckets on S3-like stores: roma mb s3://bucket.\n",
          0 },
        { "rb", cmd_rb, "URI...", "removes empty buckets",
          "Removes buckets of S3-like stores. One that is not empty stays, with a failure.\n", 0 },
        { "presign", cmd_presign, "URI...", "links for people without keys",
          "Prints a URL with which anybody may do one thing to one object until it expires. For a form the\n"
          "URL comes first and then its fields, one name=value a line, as curl -F takes them; the file is\n"
          "the last field. For --method PUT or part with --content-type the line after the URL is the "
          "header\n"
          "that must be sent: curl -T FILE -H 'Content-Type: TYPE' URL.\n"
          "Nothing is sent. S3-like stores only. Such a URL is a secret while it lives.\n",
          OPT_PRESIGN },
        { "upload", cmd_upload, "begin|part|parts|complete|abort|ls ... URI",
          "multipart uploads, step by step",
          "begin URI prints the id of a new upload. part --upload-id ID --part N LOCAL URI puts a local "
          "file, or\n"
          "with --offset and --length a piece of it, or standard input, as part N and prints NUMBER:ETAG. "
          "Parts\n"
          "come in any order, in parallel, from any process; one that is put again replaces the earlier "
          "one.\n"
          "parts URI lists them. complete URI [NUMBER:ETAG...] makes the object of these parts, or of all; "
          "it\n"
          "may be repeated when it was interrupted. abort URI gives up and removes the parts. ls URI lists "
          "the\n"
          "uploads whose names begin with URI's. An upload that nobody ends is collected by `roma gc`.\n",
          OPT_UPLOAD | OPT_RANGE | OPT_PROPS },
        { "hash", cmd_hash, "URI...", "digests of objects",
          "Prints a digest of each object in the form of md5sum and sha256sum, in the order of the names.\n",
          OPT_RECURSIVE | OPT_ALGORITHM | OPT_JOBS },
        { "chunks", cmd_chunks, "URI...", "where the chunks or objects of a file are",
          "One line for each copy: index of the chunk, its id and version, how many bytes of the file are in "
          "it,\n"
          "the chunkserver, the state that the master knows. With --crc every copy is asked for its table "
          "of\n"
          "checksums, the tables are compared, and copies that differ are exit code 7; on a terminal that "
          "is\n"
          "always done, and each copy is shown as a row of cells. With --deep all bytes are read too: blocks "
          "that\n"
          "do not match their checksum are exit code 7. Only chunkservers that are connected now are shown. "
          "A\n"
          "chunk behind the end of the file is shown too, with 0 bytes.\n\n"
          "On CephFS and RADOS one line for each object of the pool: name, length, placement group, OSDs. "
          "With\n"
          "--crc or --deep all copies are read and what scrubs have found is asked for. On S3 the parts, as "
          "far as\n"
          "the server tells.\n",
          OPT_CRC | OPT_DEEP },
        { "chunkfile", cmd_chunkfile, "FILE [LOCAL]", "checks a chunk file from a chunkserver's disk",
          "Checks header, checksum table and blocks of a chunk file (XX/chunk_..._....mfs), compares it with "
          "--against\n"
          "the original file, and writes its data to LOCAL. A block in which one bit would make it match "
          "its\n"
          "checksum is put right on the way out. No server is asked. While a chunkserver has the file open "
          "its\n"
          "table may be older than its blocks.\n"
          "A part of an erasure coded chunk is called what it is and is not written to LOCAL: alone it\n"
          "is no piece of the file.\n\n"
          "Exit code: 0 good, 1 damaged or different, 2 could not tell.\n",
          OPT_INDEX },
        { "diagnose", cmd_diagnose, "URI...", "are the copies of an object the same, and right",
          "Compares the copies of each chunk by the checksum tables that their servers keep, and with "
          "--against\n"
          "with the original; no data are read. Bits that rotted on a disk, and chunk files that were cut, "
          "are\n"
          "seen with --deep only: `clean` without it is said of the tables. What\n"
          "differs is looked at again when nobody writes there, and named: chunk, blocks, copies, pattern, "
          "likely\n"
          "causes with their evidence, what to do. With an MD5 alone the mix of copies that has it is "
          "searched.\n"
          "Nothing is ever written.\n\n"
          "On CephFS and RADOS: the objects of the pool are there and as long as they must be, what scrubs "
          "have\n"
          "found, and with --deep all copies and all bytes. On S3 the bytes are read and compared with ETag "
          "and\n"
          "checksums. --against says where other bytes are than in the original.\n\n"
          "With -r all files of a folder; only those with findings are shown (-v: all).\n\n"
          "Exit code: 0 clean, 1 something differs, 2 could not tell.\n",
          OPT_RECURSIVE | OPT_AGAINST | OPT_DEEP | OPT_RESUME },
        { "salvage", cmd_salvage, "URI LOCAL", "the best file that the copies of an object give",
          "Puts a file together from all copies of a MooseFS object, block by block, also from copies that "
          "the\n"
          "master calls damaged or of another version. Blocks that the original (--against) confirms come\n"
          "first, then those on which most copies agree, then data rather than zeros. LOCAL.map says which "
          "bytes\n"
          "are certain, chosen or lost. Nothing is written but LOCAL and LOCAL.map, and both get their names "
          "when\n"
          "they are whole: what was interrupted leaves nothing.\n\n"
          "Exit code: 0 all is certain, 1 something is chosen or lost, 2 it failed.\n",
          OPT_AGAINST | OPT_GAP | OPT_LENGTH },
        { "ping", cmd_ping, "URI...", "is the server there, and who is it",
          "Connects, asks the server for its state and measures round trips.\n", OPT_COUNT },
        { "gc", cmd_gc, "URI...", "removes what interrupted writers left",
          "A writer that was killed leaves a hidden temporary beside its target. This removes those in a\n"
          "folder and below it that nobody has written to for a day, or for --older-than.\n",
          OPT_GC },
        { "wire", cmd_wire, "decode|audit CAPTURE, or rules",
          "MooseFS traffic in a capture, and what is wrong in it",
          "decode prints the messages in a capture (pcap or pcapng; - is standard input), one a line: frame, "
          "time,\n"
          "ends, connection, message. audit says which rules of the protocol a client broke and what that "
          "does to\n"
          "the file; `roma wire rules` lists the rules. Connections are put together again, also those that "
          "had\n"
          "begun before the capture; servers are found by what they say, whatever their ports. What is "
          "missing\n"
          "in the capture is said and never held against the client; a filter (--inode, --chunk, --server) "
          "that\n"
          "nothing in the capture is about is exit code 2. Take it on the client, from before its "
          "start:\n"
          "tcpdump -s 0 -B 65536 -w FILE tcp. Exit code: 0 no rule is broken, 1 some are, 2 could not "
          "tell.\n",
          OPT_WIRE },
        { "conform", cmd_conform, "mfs://HOST[:PORT]/FOLDER, or --serve [--] [COMMAND...]",
          "does a server (or a client) keep the MooseFS protocol",
          "Checks a MooseFS-compatible cluster: one check for each packet and rule, in the form of TAP. It "
          "makes a\n"
          "folder of its own inside FOLDER, works in it alone, and removes it at the end, also after Ctrl-C. "
          "--list\n"
          "says what is expected of which server, and from where that is known.\n\n"
          "With --serve it is a master and three chunkservers itself, on 127.0.0.1 and in memory, and says "
          "which rules of\n"
          "the protocol (`roma wire rules`) a client breaks while it works: COMMAND, which finds the servers "
          "in\n"
          "$ROMA_CONFORM_URI and $ROMA_CONFORM_MASTER (HOST:PORT), or any client until Ctrl-C.\n\n"
          "Exit code: 0 all pass, 1 some fail, 2 could not tell.\n",
          OPT_CONFORM },
        { "help", cmd_help, "[COMMAND]", "how to use a command", "Without a command: all of them.\n", 0 },
        { "version", cmd_version, "", "the version of library and program",
          "Shows the version and which kinds of stores can be opened.\n", 0 },
        { NULL, NULL, NULL, NULL, NULL, 0 },
};

const struct command *command_find(const char *name)
{
        for (const struct command *c = commands; c->name; c++)
                if (!strcmp(c->name, name))
                        return c;
        return NULL;
}
