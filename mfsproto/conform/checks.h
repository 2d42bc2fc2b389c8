/* SPDX-License-Identifier: MIT */
/* For the files that hold checks: how a line of a table is written. */
#ifndef MFS_CONFORM_CHECKS_H
#define MFS_CONFORM_CHECKS_H

#include "mfsproto/conform/inner.h"

/* Name; servers that have to: ANY, V3, V4; function; section of doc/moosefs-protocol.md; servers on which it was seen;
 * what the server has to do. */
#define CHECK(name, who, run, section, seen, expects) LINE(name, who, run, section, seen, expects, 0)
#define SLOW(name, who, run, section, seen, expects)  LINE(name, who, run, section, seen, expects, 1)
#define LINE(name, who, run, section, seen, expects, slow)                                         \
        {                                                                                          \
                { name, expects, who##_SERVERS, section "; seen on " seen, slow }, who##_GATE, run \
        }

#define ANY_SERVERS "any"
#define V3_SERVERS  "3.x"
#define V4_SERVERS  "4.x"
#define ANY_GATE               \
        {                      \
                .server_to = 0 \
        }
#define V3_GATE                                \
        {                                      \
                .server_to = WIRE_VER(4, 0, 0) \
        }
#define V4_GATE                                  \
        {                                        \
                .server_from = WIRE_VER(4, 0, 0) \
        }

#define BOTH "3.0.117 and 4.59.2"

#define CHECKS_END          \
        {                   \
                .run = NULL \
        }

#endif
