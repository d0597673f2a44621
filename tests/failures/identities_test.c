/* identities_test.c - certificates made and loaded, with each allocation failing in turn: there is an identity that is
 * whole, or a status that is true, with a word on why. */
#include "common/identity.h"
#include "tests/failures/stages.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

/* What was asked for last, and what came. */
struct asked {
    struct smtp_identity *identity;
    enum smtp_status status;
    struct smtp_error error;
    char certificate[90], key[90]; /* files */
};
static struct asked asked;

static struct smtp_identity *sound(void)
{
    static struct smtp_identity *identity; /* one for the process */
    if (identity == NULL) {
        expect_int(smtp_identity_new(&identity, NULL, NULL), SMTP_OK);
    }
    return identity;
}

static void forget(struct stage *stage)
{
    (void)stage;
    (void)sound();
    asked.identity = NULL;
    asked.error.message[0] = '\0';
}

/* What was asked was right. Where no lock could be made, OpenSSL (3.0.19) tells of no memory, but that a key is of an
 * unsupported kind. */
static bool is_true(enum smtp_status status, const char *why)
{
    return status != SMTP_BAD_ARGUMENT || strstr(why, "(unsupported)") != NULL;
}

static void judge(struct stage *stage)
{
    bool made = asked.status == SMTP_OK;
    const char *why = asked.error.message;
    if (made != (asked.identity != NULL)) {
        stage_wrong(stage, "%s, and %s", smtp_status_name(asked.status),
                    made ? "nothing is there" : "something is there");
    } else if (made && (smtp_identity_certificate_pem(asked.identity)[0] == '\0' ||
                        smtp_identity_key_pem(asked.identity)[0] == '\0')) {
        stage_wrong(stage, "it cannot be shown");
    }
    if (!made && (stage->must_hold || why[0] == '\0' || !is_true(asked.status, why))) {
        stage_wrong(stage, "%s: %s", smtp_status_name(asked.status), why);
    }
    smtp_identity_release(asked.identity);
}

/* ---- made ---- */

static void make(struct stage *stage)
{
    (void)stage;
    asked.status = smtp_identity_new(&asked.identity, NULL, &asked.error);
}

static void make_without_intermediate(struct stage *stage)
{
    const struct smtp_identity_options options = {.flaw = SMTP_IDENTITY_NO_INTERMEDIATE,
                                                  .authority = sound()};
    (void)stage;
    asked.status = smtp_identity_new(&asked.identity, &options, &asked.error);
}

static void make_for_client(struct stage *stage)
{
    (void)stage;
    asked.status = smtp_identity_new_client(&asked.identity, sound(), "ann", &asked.error);
}

/* ---- loaded ---- */

static void write_file(char *path, size_t size, const char *folder, const char *name,
                       const char *text)
{
    snprintf(path, size, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    expect_true(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void before_loading(struct stage *stage)
{
    forget(stage);
    stage_make_folder(stage);
    write_file(asked.certificate, sizeof asked.certificate, stage->folder, "certificate.pem",
               smtp_identity_certificate_pem(sound()));
    write_file(asked.key, sizeof asked.key, stage->folder, "key.pem",
               smtp_identity_key_pem(sound()));
}

static void load(struct stage *stage)
{
    (void)stage;
    asked.status = smtp_identity_load(&asked.identity, asked.certificate, asked.key, &asked.error);
}

static void after_loading(struct stage *stage)
{
    judge(stage);
    smtp_remove_directory(stage->folder);
}

static const struct scenario making = {"an identity", forget, make, judge},
                             flawed = {"an identity with a flaw", forget, make_without_intermediate,
                                       judge},
                             making_client = {"a client's identity", forget, make_for_client,
                                              judge},
                             loading = {"an identity from files", before_loading, load,
                                        after_loading};

MEMORY_FAILS(an_identity_made, making)
MEMORY_FAILS(an_identity_made_with_a_flaw, flawed)
MEMORY_FAILS(a_clients_identity_made, making_client)
MEMORY_FAILS(an_identity_loaded, loading)
