/* SPDX-License-Identifier: MIT */
/* Unit tests of core/digest: the published values, and a libcrypto that refuses. */
#include "core/digest.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static void expect(enum ri_digest_kind kind, const char *text, const char *hex)
{
        struct ri_digest d;
        char out[RI_DIGEST_HEX_MAX];
        size_t n = strlen(text);

        for (size_t cut = 0; cut <= n; cut++) {
                ck_assert_int_eq(ri_digest_begin(&d, kind, NULL), 0);
                ri_digest_update(&d, text, cut);
                ri_digest_update(&d, NULL, 0);
                ri_digest_update(&d, text + cut, n - cut);
                ck_assert_int_eq(ri_digest_end_hex(&d, out, NULL), 0);
                ck_assert_str_eq(out, hex);
        }
        ck_assert_uint_eq(strlen(hex), 2 * ri_digest_size(kind));
}

START_TEST(published_values)
{
        expect(RI_MD5, "", "d41d8cd98f00b204e9800998ecf8427e");
        expect(RI_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0");
        expect(RI_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
        expect(RI_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        expect(RI_SHA512, "abc",
               "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
               "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}
END_TEST

START_TEST(all_at_once_and_names)
{
        unsigned char out[RI_DIGEST_MAX];
        char hex[RI_DIGEST_HEX_MAX];
        enum ri_digest_kind k;

        ck_assert_int_eq(ri_digest_bytes(RI_MD5, "abc", 3, out, NULL), 0);
        ri_hex(hex, out, 16);
        ck_assert_str_eq(hex, "900150983cd24fb0d6963f7d28e17f72");
        ck_assert_int_eq(ri_digest_by_name("SHA-256", &k), 0);
        ck_assert_int_eq(k, RI_SHA256);
        for (int i = 0; i < RI_DIGEST_KINDS; i++) {
                ck_assert_int_eq(ri_digest_by_name(ri_digest_name((enum ri_digest_kind)i), &k), 0);
                ck_assert_int_eq(k, i);
        }
        ck_assert_int_eq(ri_digest_by_name("sha3", &k), -1);
}
END_TEST

START_TEST(giving_up)
{
        struct ri_digest d = { 0 };

        ri_digest_free(&d);
        ck_assert_int_eq(ri_digest_begin(&d, RI_SHA1, NULL), 0);
        ri_digest_update(&d, "abc", 3);
        ri_digest_free(&d);
        ri_digest_free(&d);
}
END_TEST

START_TEST(use_after_the_end_is_an_error)
{
        struct ri_digest d;
        unsigned char out[RI_DIGEST_MAX];
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);

        ck_assert_int_eq(ri_digest_begin(&d, RI_SHA1, NULL), 0);
        ck_assert_int_eq(ri_digest_end(&d, out, NULL), 0);
        ri_digest_update(&d, "abc", 3);
        ck_assert_int_eq(ri_digest_end(&d, out, &err), -1);
        ck_assert_str_eq(ri_str_cstr(&err), "cannot compute the sha1 digest: no reason given by libcrypto");
        ri_str_free(&err);
}
END_TEST

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
START_TEST(refusal_is_reported)
{
        struct ri_digest d;
        struct ri_str err = RI_STR_INIT(RI_STR_MAX_ERROR);
        unsigned char out[RI_DIGEST_MAX];

        /* What FIPS mode does to MD5: no provider offers it under the properties asked for. */
        ck_assert_int_eq(EVP_set_default_properties(NULL, "provider=none-such"), 1);
        ck_assert_int_eq(ri_digest_begin(&d, RI_MD5, &err), -1);
        ck_assert_ptr_nonnull(strstr(ri_str_cstr(&err), "cannot begin the md5 digest: error:"));
        ck_assert_ptr_null(d.ctx);
        ck_assert_uint_eq(ERR_peek_error(), 0);
        ck_assert_int_eq(ri_digest_bytes(RI_MD5, "x", 1, out, NULL), -1);
        ri_digest_free(&d);
        ri_str_free(&err);
        EVP_set_default_properties(NULL, "");
}
END_TEST
#endif

int main(void)
{
        Suite *s = suite_create("digest");
        TCase *tc = tcase_create("digest");
        SRunner *sr;
        int failed;

        tcase_add_test(tc, published_values);
        tcase_add_test(tc, all_at_once_and_names);
        tcase_add_test(tc, giving_up);
        tcase_add_test(tc, use_after_the_end_is_an_error);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
        tcase_add_test(tc, refusal_is_reported);
#endif
        suite_add_tcase(s, tc);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_ENV);
        failed = srunner_ntests_failed(sr);
        srunner_free(sr);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
