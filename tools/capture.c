/* SPDX-License-Identifier: MIT */
/* Capture files, by libpcap: the frames of a pcap or pcapng file go into an audit. */
#include <errno.h>
#include <string.h>

#include "tools/frame-time.h"
#include "tools/tool.h"

#include <config.h>

#ifdef ROMA_WITH_PCAP
#include <pcap/pcap.h>

/* What is compressed, by its first bytes: the program that makes it a capture again. NULL: it is not. */
static const char *unpacker(const char *path)
{
        static const struct {
                const char *name, *start;
        } kinds[] = { { "zcat", "\x1f\x8b" },
                      { "xzcat", "\xfd"
                                 "7zXZ" },
                      { "zstdcat", "\x28\xb5\x2f\xfd" } };
        char start[8] = "";
        FILE *f = strcmp(path, "-") ? fopen(path, "rbe") : NULL;

        if (!f)
                return NULL;
        start[fread(start, 1, sizeof(start) - 1, f)] = 0;
        fclose(f);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (!strncmp(start, kinds[i].start, strlen(kinds[i].start)))
                        return kinds[i].name;
        return NULL;
}

/* False after a message: not a single frame could be read. *damaged: it ends before its end, which was told. */
bool capture_read(struct tool *t, const char *path, roma_wire *w, bool *damaged)
{
        char why[PCAP_ERRBUF_SIZE] = "";
        pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
        struct pcap_pkthdr *head;
        const u_char *bytes;
        int got, link;

        *damaged = false;
        if (!p) {
                const char *program = unpacker(path);

                if (program)
                        complain(t, "wire: %s: it is compressed: %s FILE | roma wire %s -", path, program,
                                 t->opt.audit ? "audit" : "decode");
                else
                        complain(t, "wire: %s: %s", path, why);
                return false;
        }
        link = pcap_datalink(p);
        if (!roma_wire_linktype_ok(link)) {
                const char *name = pcap_datalink_val_to_name(link);

                complain(t,
                         "wire: %s: frames of link type %d (%s) cannot be read; capture on Ethernet, lo or "
                         "any",
                         path, link, name ? name : "unknown");
                pcap_close(p);
                return false;
        }
        while ((got = pcap_next_ex(p, &head, &bytes)) == 1 && !t->output_errno)
                roma_wire_frame(w, link, frame_time_ns(&head->ts), bytes, head->caplen, head->len);
        if (got == PCAP_ERROR) {
                *damaged = true;
                complain(t, "wire: %s: after frame %llu: %s; what follows cannot be read", path,
                         (unsigned long long)roma_wire_report_of(w)->frames, pcap_geterr(p));
        }
        pcap_close(p);
        return true;
}

#else

bool capture_read(struct tool *t, const char *path, roma_wire *w, bool *damaged)
{
        (void)w;
        *damaged = false;
        complain(t, "wire: %s: this roma was built without libpcap and reads no captures", path);
        return false;
}

#endif
