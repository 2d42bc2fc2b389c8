/* SPDX-License-Identifier: MIT */
/* A capture file of unknown origin: libpcap's reader, reassembly, messages, audit. The first byte of what libpcap does
 * not read as a file is the link type, and the rest one frame after the other, each behind two bytes of length. */
#include <pcap/pcap.h>
#include <roma/wire.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/frame-time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
        if (!ok)
                abort();
}

static void got_message(void *arg, const roma_wire_message *m)
{
        size_t *sum = arg;

        must(m->text != NULL && m->json != NULL && m->from != NULL && m->to != NULL);
        must(!strchr(m->text, '\n') && !strchr(m->json, '\n'));
        *sum += strlen(m->text) + strlen(m->json);
}

static void got_finding(void *arg, const roma_wire_finding *f)
{
        size_t *sum = arg;

        must(f->rule != NULL && f->text[0] != 0);
        *sum += strlen(f->text);
}

static void got_unchecked(void *arg, const char *text)
{
        *(size_t *)arg += strlen(text);
}

static void file(roma_wire *w, pcap_t *p)
{
        struct pcap_pkthdr *head;
        const u_char *bytes;

        while (pcap_next_ex(p, &head, &bytes) == 1) {
                /* exactly as large as the frame, so that a read behind it is seen */
                uint8_t *copy = malloc(head->caplen + 1);

                must(copy != NULL);
                memcpy(copy + 1, bytes, head->caplen);
                roma_wire_frame(w, pcap_datalink(p), frame_time_ns(&head->ts), copy + 1, head->caplen,
                                head->len);
                free(copy);
        }
}

static void frames(roma_wire *w, const uint8_t *p, size_t n)
{
        static const int types[] = { 1, 101, 113, 276, 0, 108, 228, 229 };
        int64_t now = 0;
        int type;

        if (n < 1)
                return;
        type = types[p[0] & 7];
        for (p++, n--; n >= 2;) {
                size_t len = (size_t)(p[0] << 8 | p[1]), have = len < n - 2 ? len : n - 2;

                roma_wire_frame(w, type, now += 1000000, p + 2, have, len);
                p += 2 + have;
                n -= 2 + have;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        roma_wire_opts opts = ROMA_WIRE_OPTS_INIT;
        char why[PCAP_ERRBUF_SIZE];
        size_t sum = 0;
        roma_wire *w;
        FILE *f;
        pcap_t *p;

        opts.json = 1;
        opts.max_memory = 1 << 20;
        opts.message = got_message;
        opts.finding = got_finding;
        opts.unchecked = got_unchecked;
        opts.arg = &sum;
        w = roma_wire_new(&opts);
        must(w != NULL);
        f = size ? fmemopen((void *)(uintptr_t)data, size, "rb") : NULL;
        p = f ? pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_NANO, why) : NULL;
        if (p) {
                file(w, p);
                pcap_close(p); /* and f with it */
        } else {
                if (f)
                        fclose(f);
                frames(w, data, size);
        }
        roma_wire_end(w);
        must(roma_wire_report_of(w)->findings == 0 || roma_wire_report_of(w)->moosefs > 0);
        roma_wire_free(w);
        return 0;
}
