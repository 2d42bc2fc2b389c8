/* SPDX-License-Identifier: MIT */
/* The packets of a registration, and the sentences for its refusals. Replies have no number of their own: their length
 * and what was asked tell what they are. */
#include <string.h>

#include "core/digest.h"
#include "mfsproto/session/private.h"

/* MD5(R[0..15] || MD5(password) || R[16..31]) */
static bool digest(const struct mfs_session *s, unsigned char out[16])
{
        unsigned char text[48], sum[RI_DIGEST_MAX];
        int rc;

        memcpy(text, s->challenge, 16);
        memcpy(text + 16, s->password_md5, 16);
        memcpy(text + 32, s->challenge + 16, 16);
        rc = ri_digest_bytes(RI_MD5, text, sizeof(text), sum, NULL);
        memcpy(out, sum, 16);
        explicit_bzero(text, sizeof(text));
        return rc == 0;
}

int mfs_login_send(struct mfs_link *l, const struct mfs_session *s, uint8_t rcode, struct ri_error *e)
{
        struct wire_ctx ctx = { .server = s->info.master_version, .client = s->declare };
        unsigned char sum[16];
        struct wire_msg m;

        wire_msg_init(&m, WIRE_CLTOMA_FUSE_REGISTER, WIRE_TO_MASTER);
        wire_set_u(&m, WF_RCODE, rcode);
        if (rcode == WIRE_REGISTER_NEWSESSION) {
                wire_set_u(&m, WF_VERSION, s->declare);
                /* both count their final NUL */
                wire_set_bytes(&m, WF_INFO, s->info_text, strlen(s->info_text) + 1);
                wire_set_bytes(&m, WF_PATH, s->export_path, strlen(s->export_path) + 1);
                if (s->registered && s->info.session_id) {
                        wire_set_u(&m, WF_SESSIONID, s->info.session_id);
                        if (s->info.meta_id)
                                wire_set_u(&m, WF_METAID, s->info.meta_id);
                }
                if (s->challenged) {
                        if (!digest(s, sum)) {
                                ri_error_set(e, ROMA_ESYSTEM, s->server,
                                             "MD5 is not available in this machine's OpenSSL, and the "
                                             "master's password "
                                             "protocol needs it");
                                return -1;
                        }
                        wire_set_bytes(&m, WF_DIGEST, sum, sizeof(sum));
                }
        } else if (rcode != WIRE_REGISTER_GETRANDOM) {
                wire_set_u(&m, WF_SESSIONID, s->info.session_id);
                if (rcode == WIRE_REGISTER_RECONNECT)
                        wire_set_u(&m, WF_VERSION, s->declare);
                if (s->info.meta_id)
                        wire_set_u(&m, WF_METAID, s->info.meta_id);
        }
        return mfs_link_send(l, &m, &ctx, e);
}

static void read_session(struct mfs_login *in, struct wire_msg *m)
{
        struct mfs_session_info *i = &in->info;

        i->master_version = wire_get_u32(m, WF_VERSION);
        i->session_id = wire_get_u32(m, WF_SESSIONID);
        i->meta_id = wire_get_u_or(m, WF_METAID, 0);
        i->flags = wire_get_u8(m, WF_SESFLAGS);
        i->umask = (uint16_t)wire_get_u_or(m, WF_UMASK, 0);
        i->root_uid = wire_get_u32(m, WF_ROOTUID);
        i->root_gid = wire_get_u32(m, WF_ROOTGID);
        i->map_uid = wire_get_u32(m, WF_MAPALLUID);
        i->map_gid = wire_get_u32(m, WF_MAPALLGID);
        i->disables = (uint32_t)wire_get_u_or(m, WF_DISABLES, 0);
        in->version = i->master_version;
}

void mfs_login_read(struct mfs_login *in, const struct mfs_session *s, uint8_t rcode, uint32_t type,
                    const uint8_t *payload, uint32_t len)
{
        struct wire_ctx ctx = { .client = s->declare, .hint = rcode };
        struct wire_msg m;

        memset(in, 0, sizeof(*in));
        if (type != WIRE_MATOCL_FUSE_REGISTER ||
            wire_decode(&m, type, WIRE_FROM_MASTER, payload, len, &ctx) != WIRE_OK)
                return;
        if (wire_has(&m, WF_LEADERIP)) {
                in->kind = LOGIN_REDIRECT;
                in->leader_ip = wire_get_u32(&m, WF_LEADERIP);
        } else if (wire_has(&m, WF_RANDOM)) {
                size_t n;
                const uint8_t *p = wire_get_bytes(&m, WF_RANDOM, &n);

                if (p && n == sizeof(in->random)) {
                        in->kind = LOGIN_RANDOM;
                        memcpy(in->random, p, n);
                }
        } else if (wire_has(&m, WF_STATUS)) {
                in->kind = LOGIN_STATUS;
                in->status = wire_get_u8(&m, WF_STATUS);
                in->version = (uint32_t)wire_get_u_or(&m, WF_VERSION, 0);
        } else {
                read_session(in, &m);
                if (wire_msg_ok(&m))
                        in->kind = LOGIN_SESSION;
        }
}

void mfs_login_refused(struct ri_error *e, const struct mfs_session *s, uint8_t status, const char *server)
{
        char v[24];

        switch (status) {
        case WIRE_STATUS_EPERM:
                if (!wire_ver_at_least(s->declare, WIRE_VER(4, 26, 0)))
                        ri_error_set(
                                e, ROMA_EVERSION, server,
                                "the master refuses clients of version %s, which we said we are; leave out "
                                "the option declare, or say 4.26.0 or newer",
                                wire_ver_print(s->declare, v, sizeof(v)));
                else
                        ri_error_set(e, ROMA_EACCES, server,
                                     "the master refuses the registration (EPERM); see mfsexports.cfg for "
                                     "minversion "
                                     "and for who may use %s",
                                     s->export_path);
                break;
        case WIRE_STATUS_ENOENT:
                ri_error_set(
                        e, ROMA_ENOENT, server,
                        "the folder %s that was to be the root (option export) does not exist on this master",
                        s->export_path);
                break;
        case WIRE_STATUS_EACCES:
                ri_error_set(e, ROMA_EACCES, server,
                             "the master does not export %s to this machine's address; add a line for it to "
                             "mfsexports.cfg (with alldirs for a sub-folder) and reload the master",
                             s->export_path);
                break;
        case WIRE_STATUS_NOPASSWORD:
                ri_error_set(e, ROMA_EAUTH, server,
                             "this export needs a password; give it with the option password_file");
                break;
        case WIRE_STATUS_BADPASSWORD:
                ri_error_set(e, ROMA_EAUTH, server,
                             "the master says that the password is wrong; compare the password file with the "
                             "line of this "
                             "export in mfsexports.cfg");
                break;
        default: mfs_status_error(e, status, server, "registration"); return;
        }
        e->status_kind = ROMA_STATUS_MFS;
        e->server_status = status;
        e->status_name = wire_status_name(status);
}
