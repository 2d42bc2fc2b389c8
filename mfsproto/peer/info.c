/* SPDX-License-Identifier: MIT */
/* Questions about the master itself, answered without a session too. Protocol pages 1.2 and 6.4. */
#include <string.h>

#include "mfsproto/peer/inner.h"

static bool on_version(struct peer_req *r)
{
        char text[24];
        struct wire_msg m;

        wire_ver_print(r->p->cfg.master_version, text, sizeof text);
        peer_reply_init(r, &m);
        wire_set_u(&m, WF_VERSION, r->p->cfg.master_version);
        wire_set_bytes(&m, WF_VERSION_TEXT, text, strlen(text));
        return peer_reply(r, &m);
}

static bool on_servers(struct peer_req *r)
{
        uint32_t v = r->p->cfg.master_version;
        bool mode = wire_has(&r->msg, WF_LISTMODE) && wire_get_u_or(&r->msg, WF_LISTMODE, 0);
        uint8_t bytes[MFS_PEER_SERVERS * 80];
        static const uint16_t zero[] = { WF_USED,      WF_TOTAL,         WF_TDUSED, WF_TDTOTAL,
                                         WF_TDCHUNKS,  WF_ERRORCOUNT,    WF_LOAD,   WF_GRACETIME,
                                         WF_MFRSTATUS, WF_MAINTENANCE_TO };
        struct wire_group g;
        struct wire_msg m, item;
        enum wire_form form = WFORM_CSERV69;

        if (wire_ver_at_least(v, WIRE_VER(4, 26, 0)))
                form = mode ? WFORM_CSERV77 : WFORM_CSERV73;
        wire_group_init(&g, form, bytes, sizeof bytes);
        for (unsigned i = 1; i <= r->p->cfg.servers; i++) {
                const struct peer_server *s = &r->p->server[i];

                wire_item_init(&item);
                for (size_t k = 0; k < sizeof zero / sizeof zero[0]; k++)
                        wire_set_u(&item, zero[k], 0);
                wire_set_u(&item, WF_CSFLAGS, !s->up);
                wire_set_u(&item, WF_CSVER24, r->p->cfg.cs_version & 0xFFFFFF);
                wire_set_u(&item, WF_ORIGINALIP, UINT32_C(0x7F000001));
                wire_set_u(&item, WF_IP, UINT32_C(0x7F000001));
                wire_set_u(&item, WF_PORT, s->port);
                wire_set_u(&item, WF_CSID, i);
                wire_set_u(&item, WF_CHUNKS, s->copies.count);
                wire_set_u(&item, WF_LABELMASK, 1);
                wire_group_add(&g, &item);
        }
        peer_reply_init(r, &m);
        wire_set_group(&m, WF_SERVERS, &g);
        return peer_reply(r, &m);
}

const struct peer_command peer_commands_info[] = {
        { WIRE_ANTOAN_GET_VERSION, on_version },
        { WIRE_CLTOMA_CSERV_LIST, on_servers },
        { 0, NULL },
};
