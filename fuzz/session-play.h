/* SPDX-License-Identifier: MIT */
/* What fuzz-session and its recorder share: what the client does, and how an input holds what the servers say.
 *
 * An input is one byte, enum session_play bits, and then answers: flags, type of the request, length (3 bytes), bytes.
 * A request gets the first answer for its type that has not been used; when there is none, the connection ends. */
#ifndef SESSION_PLAY_H
#define SESSION_PLAY_H

#include <roma/roma.h>
#include <stdint.h>

enum session_play {
        PLAY_STAT = 1,
        PLAY_PUT = 2,
        PLAY_GET = 4,
        PLAY_LIST = 8,
        PLAY_INPLACE = 16,
        PLAY_NAMES = 32,
        PLAY_INSPECT = 64,
        PLAY_EXPORT = 128, /* registers a subfolder */
};

enum session_answer {
        ANSWER_PATCH = 1, /* the msgid or writeid of the request is put in */
        ANSWER_CLOSE = 2, /* and then the connection ends */
        ANSWER_DRIP = 4,  /* arrives in small pieces from here on */
        ANSWER_MORE = 8,  /* the next answer of the input belongs to it too */
};
enum { ANSWER_HEAD = 6 };

/* Opens the store, does what the bits say, closes it. Results are not looked at, only that there are some. */
void session_play(roma_loop *loop, const char *uri, unsigned what);

#endif
