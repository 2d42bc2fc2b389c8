/* SPDX-License-Identifier: MIT */
/* Attributes as text and as JSON. */
#include <string.h>

#include "tools/tool.h"

static const struct {
        const char *name;
        char letter;
} types[] = {
        [ROMA_TYPE_UNKNOWN] = { "unknown", '?' },
        [ROMA_TYPE_FILE] = { "file", '-' },
        [ROMA_TYPE_DIR] = { "folder", 'd' },
        [ROMA_TYPE_SYMLINK] = { "symlink", 'l' },
        [ROMA_TYPE_FIFO] = { "fifo", 'p' },
        [ROMA_TYPE_BLOCKDEV] = { "block device", 'b' },
        [ROMA_TYPE_CHARDEV] = { "character device", 'c' },
        [ROMA_TYPE_SOCKET] = { "socket", 's' },
};

static unsigned known_type(unsigned type)
{
        return type < sizeof(types) / sizeof(types[0]) ? type : ROMA_TYPE_UNKNOWN;
}

const char *type_name(unsigned type)
{
        return types[known_type(type)].name;
}

void format_mode(char text[11], const roma_attr *attr)
{
        static const char letters[] = "rwxrwxrwx";
        unsigned mode = attr->mode;

        text[0] = types[known_type(attr->type)].letter;
        text[10] = 0;
        if (!(attr->mask & ROMA_ATTR_MODE)) {
                memset(text + 1, '?', 9);
                return;
        }
        for (int i = 0; i < 9; i++)
                text[1 + i] = mode & (0400u >> i) ? letters[i] : '-';
        if (mode & 04000)
                text[3] = text[3] == 'x' ? 's' : 'S';
        if (mode & 02000)
                text[6] = text[6] == 'x' ? 's' : 'S';
        if (mode & 01000)
                text[9] = text[9] == 'x' ? 't' : 'T';
}

static void number(json_t *object, const roma_attr *attr, unsigned bit, const char *field, uint64_t value)
{
        if (attr->mask & bit)
                json_object_set_new(object, field, json_of(json_integer((json_int_t)value)));
}

void json_props(json_t *object, const roma_prop *v, size_t n)
{
        static const char *const fields[] = { [ROMA_PROP_HEADER] = "headers", [ROMA_PROP_META] = "metadata" };

        for (int kind = ROMA_PROP_HEADER; kind <= ROMA_PROP_META; kind++) {
                json_t *all = NULL;

                for (size_t i = 0; i < n; i++) {
                        if (v[i].kind != kind)
                                continue;
                        if (!all)
                                all = json_of(json_object());
                        json_name(all, v[i].name, v[i].value);
                }
                if (all)
                        json_object_set_new(object, fields[kind], all);
        }
}

void json_attr(json_t *object, const roma_attr *attr)
{
        char mode[8];

        json_object_set_new(object, "type", json_of(json_string(type_name(attr->type))));
        number(object, attr, ROMA_ATTR_LENGTH, "length", attr->length);
        if (attr->mask & ROMA_ATTR_MODE) {
                snprintf(mode, sizeof(mode), "%04o", attr->mode & 07777);
                json_object_set_new(object, "mode", json_of(json_string(mode)));
        }
        number(object, attr, ROMA_ATTR_UID, "uid", attr->uid);
        number(object, attr, ROMA_ATTR_GID, "gid", attr->gid);
        number(object, attr, ROMA_ATTR_NLINK, "links", attr->nlink);
        number(object, attr, ROMA_ATTR_INODE, "inode", attr->inode);
        number(object, attr, ROMA_ATTR_BLOCKS, "storage", attr->blocks);
        number(object, attr, ROMA_ATTR_ATIME, "atime_ns", (uint64_t)attr->atime_ns);
        number(object, attr, ROMA_ATTR_MTIME, "mtime_ns", (uint64_t)attr->mtime_ns);
        number(object, attr, ROMA_ATTR_CTIME, "ctime_ns", (uint64_t)attr->ctime_ns);
        if (attr->mask & ROMA_ATTR_ETAG)
                json_name(object, "etag", attr->etag);
}
