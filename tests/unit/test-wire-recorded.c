/* SPDX-License-Identifier: MIT */
/* Packets recorded between mfsmount 3.0.117 and servers 3.0.117: what they say, and that the encoder makes the same
 * bytes out of the values. */
#include "mfsproto/wire/wire.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
        uint32_t type;
        enum wire_dir dir;
        uint8_t hint;
        const char *hex, *text;
} recorded[] = {
        { WIRE_MATOCL_FUSE_REGISTER, WIRE_FROM_MASTER, 2,
          "000300EA0000000A6B039B8FDADF05D00800000000000000000000000003E7000003E70109000000"
          "00FFFFFFFF00000000",
          "MATOCL_FUSE_REGISTER(401) [new-49] version=3.0.117 sessionid=10 metaid=0x6B039B8"
          "FDADF05D0 sesflags=0x08 umask=00 rootuid=0 rootgid=0 mapalluid=999 mapallgid=999"
          " mingoal=1 maxgoal=9 mintrashretention=0 maxtrashretention=4294967295 disables=0"
          "x00000000" },
        { WIRE_MATOCL_FUSE_LOOKUP, WIRE_FROM_MASTER, 0,
          "00000001000003490811A400000000000000006B039C686B039C686B039C68000000010000000000"
          "3000000001FF02000000000000000F000000010A4E000D24CE000300EA000000040A4E000C24CE00"
          "0300EA00000002",
          "MATOCL_FUSE_LOOKUP(407) [chunk0] msgid=1 inode=841 attr={file 0644 0:0 atime=179"
          "5398760 mtime=1795398760 ctime=1795398760 nlink=1 length=3145728 flags=8 winattr"
          "=0} lflags=0x01FF proto=2 chunkid=000000000000000F chunkver=1 locs=[{ip=10.78.0."
          "13 port=9422 cs_ver=3.0.117 labelmask=0x00000004} {ip=10.78.0.12 port=9422 cs_ve"
          "r=3.0.117 labelmask=0x00000002}]" },
        { WIRE_CLTOMA_FUSE_SETATTR, WIRE_TO_MASTER, 0,
          "0000000A000003480000000000000000010000000002018000000000000000000000000000000000"
          "0004",
          "CLTOMA_FUSE_SETATTR(410) [winattr] msgid=10 inode=840 opened=0 ug=0:0 setmask=0x"
          "02 mode=0600 attr_uid=0 attr_gid=0 atime=0 mtime=0 winattr=0x00 sugidclear=4" },
        { WIRE_MATOCL_FUSE_CREATE, WIRE_FROM_MASTER, 0,
          "0000000200000003480811A400000000000000006B039C686B039C686B039C680000000100000000"
          "0000000000",
          "MATOCL_FUSE_CREATE(483) [oflags] msgid=2 oflags=0x00 inode=840 attr={file 0644 0"
          ":0 atime=1795398760 mtime=1795398760 ctime=1795398760 nlink=1 length=0 flags=8 w"
          "inattr=0}" },
        { WIRE_CLTOMA_FUSE_AMTIME_INODES, WIRE_TO_MASTER, 0,
          "00000348000000006B039C68000003496B039C686B039C680000034A6B039C686B039C680000034E"
          "000000006B039C68",
          "CLTOMA_FUSE_AMTIME_INODES(701) [times] times=[{inode=840 atime=0 mtime=179539876"
          "0} {inode=841 atime=1795398760 mtime=1795398760}]+2" },
        { WIRE_MATOCL_FUSE_STATFS, WIRE_FROM_MASTER, 0,
          "00000002000000889D9B80000000006FC2F500000000006FC2F500000000000008361AB600000000"
          "00000000000000DA",
          "MATOCL_FUSE_STATFS(403) [free] msgid=2 totalspace=586759766016 availspace=480012"
          "206080 freespace=480012206080 trashspace=137763510 sustainedspace=0 inodes=218" },
        { WIRE_MATOCL_FUSE_GETFACL, WIRE_FROM_MASTER, 0,
          "00000001000700050005000700010001000003E80006000000640004",
          "MATOCL_FUSE_GETFACL(489) [acl] msgid=1 userperm=07 groupperm=05 otherperm=05 mas"
          "kperm=07 namedusers=1 namedgroups=1 users=[{id=1000 perm=06}] groups=[{id=100 pe"
          "rm=04}]" },
        { WIRE_CLTOMA_FUSE_POSIX_LOCK, WIRE_TO_MASTER, 0,
          "00000001000003480000000120E14958B1BFBD9E0000710B01020000000000000000000000000000"
          "000A",
          "CLTOMA_FUSE_POSIX_LOCK(494) [lock] msgid=1 inode=840 reqid=1 owner=0x20E14958B1B"
          "FBD9E pid=28939 cmd=1 locktype=2 start=0 end=10" },
        { WIRE_MATOCL_FUSE_READDIR, WIRE_FROM_MASTER, 1,
          "000000010000000000000000012E0000000102022E2E0000000102026C7700000555020171000005"
          "52020A617070326432383832300000054D0106643238383230000003460204617070320000020D01"
          "0161000000060203737562000000040208726561646F6E6C79000000030206736563726574000000"
          "0202",
          "MATOCL_FUSE_READDIR(429) [edge] msgid=1 nedgeid=0x0000000000000000 entries=[{nam"
          "e=\".\" inode=1 nodetype=directory} {name=\"..\" inode=1 nodetype=directory}]+9" },
        { WIRE_MATOCL_FUSE_WRITE_CHUNK, WIRE_FROM_MASTER, 0,
          "00000004020000000000000000000000000000000E000000010A4E000C24CE000300EA000000020A"
          "4E000B24CE000300EA00000001",
          "MATOCL_FUSE_WRITE_CHUNK(435) [labels] msgid=4 proto=2 length=0 chunkid=000000000"
          "000000E chunkver=1 locs=[{ip=10.78.0.12 port=9422 cs_ver=3.0.117 labelmask=0x000"
          "00002} {ip=10.78.0.11 port=9422 cs_ver=3.0.117 labelmask=0x00000001}]" },
        { WIRE_CLTOMA_FUSE_WRITE_CHUNK_END, WIRE_TO_MASTER, 0,
          "00000004000000000000000E0000034800000000000000000000000600",
          "CLTOMA_FUSE_WRITE_CHUNK_END(436) [index] msgid=4 chunkid=000000000000000E inode="
          "840 index=0 length=6 chunkopflags=0x00" },
        { WIRE_CLTOCS_WRITE, WIRE_TO_CS, 0, "01000000000000000E000000010A4E000B24CE",
          "CLTOCS_WRITE(210) [proto] proto=1 chunkid=000000000000000E chunkver=1 chain=[{ip"
          "=10.78.0.11 port=9422}]" },
        { WIRE_CLTOCS_WRITE_DATA, WIRE_TO_CS, 0,
          "000000000000000E000000010000000000000006363A302068656C6C6F0A",
          "CLTOCS_WRITE_DATA(212) [block] chunkid=000000000000000E writeid=1 block=0 offset"
          "=0 size=6 crc=0x363A3020 data=(6 bytes: 68656c6c6f0a)" },
        { WIRE_CSTOCL_WRITE_STATUS, WIRE_FROM_CS, 0, "000000000000000E0000000000",
          "CSTOCL_WRITE_STATUS(211) [status] chunkid=000000000000000E writeid=0 status=OK" },
        { WIRE_CLTOCS_READ, WIRE_TO_CS, 0, "01000000000000000F000000010000000000040000",
          "CLTOCS_READ(200) [proto] proto=1 chunkid=000000000000000F chunkver=1 offset=0 si"
          "ze=262144" },
        { WIRE_MATOCL_FUSE_CHUNK_HAS_CHANGED, WIRE_FROM_MASTER, 0,
          "0000000000000349000000000000000000000014000000010000000000030D4000",
          "MATOCL_FUSE_CHUNK_HAS_CHANGED(702) [whole] msgid=0 inode=841 index=0 chunkid=000"
          "0000000000014 chunkver=1 length=200000 truncflag=0" },
        { WIRE_MATOCL_FUSE_CHECK, WIRE_FROM_MASTER, 2,
          "0000000C000000000000000E000000010A4E000B24CE000A4E000C24CE00",
          "MATOCL_FUSE_CHECK(441) [copies] msgid=12 chunkid=000000000000000E chunkver=1 cop"
          "ies=[{ip=10.78.0.11 port=9422 copystate=valid} {ip=10.78.0.12 port=9422 copystat"
          "e=valid}]" },
        { WIRE_MATOCL_FUSE_PATHS, WIRE_FROM_MASTER, 0,
          "0000000C0000000A6432383832302F686C32000000086432383832302F66",
          "MATOCL_FUSE_PATHS(487) [paths] msgid=12 paths=[{path=\"d28820/hl2\"} {path=\"d28820"
          "/f\"}]" },
        { WIRE_MATOCL_FUSE_GETDIRSTATS, WIRE_FROM_MASTER, 0,
          "0000000C000000010000000000000001000000000000000000000001000000000000000000000000"
          "0000000600000000000120000000000000024000",
          "MATOCL_FUSE_GETDIRSTATS(463) [long] msgid=12 inodes=1 node_dirs=0 node_files=1 u"
          "gfiles=0 mfiles=0 chunks=1 ugchunks=0 mchunks=0 length=6 size=73728 realsize=147"
          "456" },
        { WIRE_MATOCL_NODE_INFO, WIRE_FROM_MASTER, 1,
          "00010000000000000000000005520000054D000003460000020D0000000600000004000000030000"
          "0002",
          "MATOCL_NODE_INFO(547) [dir] anstype=1 continueid=0x0000000000000000 inodes=[{ino"
          "de=1362} {inode=1357}]+6" },
        { WIRE_MATOCL_CSERV_LIST, WIRE_FROM_MASTER, 1,
          "000300EA0A4E000B24CE0001000000084F78A0000000002D89DE8000000000100000000000000000"
          "0000000000000000000000000000000000000000000000000000000100000300EA0A4E000D24CE00"
          "03000000084EE820000000002D89DE80000000001200000000000000000000000000000000000000"
          "000000000000000000000000000000000400000300EA0A4E000C24CE000200000008533CD0000000"
          "002D89DE800000000011000000000000000000000000000000000000000000000000000000000000"
          "00000000000200",
          "MATOCL_CSERV_LIST(501) [69] servers=[{csflags=0x00 cs_version=3.0.117 ip=10.78.0"
          ".11 port=9422 csid=1 used=35693043712 total=195586588672 chunks=16 tdused=0 tdto"
          "tal=0 tdchunks=0 errorcount=0 load=0 gracetime=0 labelmask=0x00000001 mfrstatus="
          "0} {csflags=0x00 cs_version=3.0.117 ip=10.78.0.13 port=9422 csid=3 used=35683573"
          "760 total=195586588672 chunks=18 tdused=0 tdtotal=0 tdchunks=0 errorcount=0 load"
          "=0 gracetime=0 labelmask=0x00000004 mfrstatus=0}]+1" },
        { WIRE_MATOCL_INFO, WIRE_FROM_MASTER, 0,
          "000300EA000000001DB4700000000000001CB99100000000001B27FF000000889D9B80000000006F"
          "ABFDF0000000006FABFDF000000000000C492812000003950000000000000000000000000000053E"
          "0000000800000530000000130000003500000035000000000000000000FFFFFFFF00000000000000"
          "000000000000000BCF89661F6BF9E5FE75000660E7D993A16400000000",
          "MATOCL_INFO(511) [149] version=3.0.117 memusage=498364416 syscpu=1882513 usercpu"
          "=1779711 totalspace=586759766016 availspace=479626915840 freespace=479626915840 "
          "trashspace=206120978 trashnodes=917 sustainedspace=0 sustainednodes=0 allnodes=1"
          "342 dirnodes=8 filenodes=1328 chunks=19 chunkcopies=53 tdcopies=53 laststore_ts="
          "0 laststore_duration=0 laststore_status=0 state=255 nstate=255 stable=255 sync=2"
          "55 leaderip=0.0.0.0 state_chg_time=0 meta_version=3023 exports_checksum=0x89661F"
          "6BF9E5FE75 usec=1795398764306788 last_chglog_time=0" },
        { WIRE_ANTOAN_VERSION, WIRE_FROM_MASTER, 1, "000300EA332E302E3131372D31",
          "ANTOAN_VERSION(11) [plain] version=3.0.117 version_text=\"3.0.117-1\"" },
};

static size_t unhex(const char *hex, uint8_t *bytes)
{
        size_t n = 0;

        for (; *hex; hex += 2) {
                char two[3] = { hex[0], hex[1], 0 };

                bytes[n++] = (uint8_t)strtoul(two, NULL, 16);
        }
        return n;
}

/* The encoder has to choose the layout that the real peer chose. */
START_TEST(recorded_packets)
{
        struct wire_ctx ctx = { WIRE_VER(3, 0, 117), WIRE_VER(3, 0, 117), recorded[_i].hint };
        uint8_t bytes[1000], out[1008];
        struct wire_msg m;
        char text[2000];
        size_t n = unhex(recorded[_i].hex, bytes);

        ck_assert_int_eq(wire_decode(&m, recorded[_i].type, recorded[_i].dir, bytes, n, &ctx), WIRE_OK);
        wire_print(&m, text, sizeof(text), 2);
        ck_assert_str_eq(text, recorded[_i].text);
        wire_msg_any_layout(&m);
        ck_assert_int_eq(wire_encode(&m, &ctx, out, sizeof(out)), (ssize_t)n + 8);
        ck_assert_mem_eq(out + 8, bytes, n);
        /* every cut is refused, or gives the same bytes as another layout or a shorter list */
        for (size_t cut = 0; cut < n; cut++) {
                uint8_t *copy = malloc(cut + 1);

                memcpy(copy + 1, bytes, cut); /* ends where the allocation ends */
                if (wire_decode(&m, recorded[_i].type, recorded[_i].dir, copy + 1, cut, &ctx) == WIRE_OK) {
                        ck_assert_int_eq(wire_encode(&m, &ctx, out, sizeof(out)), (ssize_t)cut + 8);
                        ck_assert_mem_eq(out + 8, bytes, cut);
                }
                free(copy);
        }
}
END_TEST

int main(void)
{
        Suite *s = suite_create("wire-recorded");
        TCase *tc = tcase_create("wire-recorded");
        SRunner *sr;
        int failed;

        tcase_add_loop_test(tc, recorded_packets, 0, (int)(sizeof(recorded) / sizeof(recorded[0])));
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
