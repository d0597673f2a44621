/* letters_test.c - harness/load/letters.c and stamp.c: content that tells whether it is whole. */
#include "harness/load/letters.h"
#include "harness/load/stamp.h"
#include "tests/support/files.h"
#include "tests/support/test.h"

#include <stdio.h>

static struct smtp_letters *of_sizes(uint64_t min, uint64_t max)
{
    struct smtp_letters *letters = NULL;
    struct smtp_error error;
    expect_int(smtp_letters_of_sizes(&letters, min, max, &error), SMTP_OK);
    return letters;
}

static uint64_t number_of(const struct smtp_letter *letter)
{
    uint64_t number = UINT64_MAX;
    expect_true(smtp_stamp_read((struct smtp_span){letter->octets, letter->len}, &number));
    return number;
}

/** CRLF ends each line, none is long, none begins with a dot, and the header ends. */
static void expect_content(const struct smtp_letter *letter)
{
    size_t line = 0;
    expect_true(memmem(letter->octets, letter->len, "\r\n\r\n", 4) != NULL);
    for (size_t i = 0; i < letter->len; i++) {
        bool is_lf = letter->octets[i] == '\n', is_cr = letter->octets[i] == '\r';
        expect_true(!is_lf || (i > 0 && letter->octets[i - 1] == '\r'));
        expect_true(!is_cr || (i + 1 < letter->len && letter->octets[i + 1] == '\n'));
        line = is_lf ? 0 : line + 1;
        expect_true(line < 200);
    }
    expect_int(line, 0);
}

TEST(letters, of_every_size_are_content_and_carry_their_number)
{
    struct smtp_letter letter = {0};
    for (uint64_t size = SMTP_LETTER_MIN; size < SMTP_LETTER_MIN + 300; size++) {
        struct smtp_letters *letters = of_sizes(size, size);
        expect_true(smtp_letter_write(&letter, letters, size * 7));
        expect_int(letter.len, size);
        expect_int(number_of(&letter), size * 7);
        expect_content(&letter);
        smtp_letters_free(letters);
    }
    smtp_letter_clear(&letter);
}

TEST(letters, of_a_range_have_both_ends_of_it_and_the_same_size_for_the_same_number)
{
    struct smtp_letter letter = {0};
    struct smtp_letters *letters = of_sizes(200, 209);
    bool seen[10] = {false};
    size_t sizes[100];
    for (uint64_t number = 0; number < 200; number++) {
        expect_true(smtp_letter_write(&letter, letters, number % 100));
        expect_int(number_of(&letter), number % 100);
        expect_true(letter.len >= 200 && letter.len <= 209);
        seen[letter.len - 200] = true;
        expect_true(number < 100 || sizes[number - 100] == letter.len);
        sizes[number % 100] = letter.len;
    }
    for (size_t i = 0; i < sizeof seen; i++) {
        expect_true(seen[i]);
    }
    smtp_letters_free(letters);
    smtp_letter_clear(&letter);
}

TEST(letters, any_octet_that_changes_is_seen)
{
    struct smtp_letter letter = {0};
    struct smtp_letters *letters = of_sizes(300, 300);
    uint64_t number;
    expect_true(smtp_letter_write(&letter, letters, 42));
    for (size_t i = 0; i < letter.len; i++) {
        letter.octets[i] ^= 1;
        expect_true(!smtp_stamp_read((struct smtp_span){letter.octets, letter.len}, &number));
        letter.octets[i] ^= 1;
    }
    expect_int(number_of(&letter), 42);
    for (size_t len = 0; len < letter.len; len++) {
        expect_true(!smtp_stamp_read((struct smtp_span){letter.octets, len}, &number));
    }
    smtp_letters_free(letters);
    smtp_letter_clear(&letter);
}

TEST(letters, two_lines_that_change_places_are_seen)
{
    struct smtp_letter letter = {0};
    struct smtp_letters *letters = of_sizes(1024, 1024);
    uint64_t number;
    expect_true(smtp_letter_write(&letter, letters, 1));
    letter.octets[400] = 'a';
    letter.octets[432] = 'b';
    uint64_t sum = smtp_stamp_sum((struct smtp_span){letter.octets, letter.len});
    letter.octets[400] = 'b';
    letter.octets[432] = 'a';
    expect_true(sum != smtp_stamp_sum((struct smtp_span){letter.octets, letter.len}));
    expect_true(!smtp_stamp_read((struct smtp_span){letter.octets, letter.len}, &number));
    smtp_letters_free(letters);
    smtp_letter_clear(&letter);
}

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

TEST(letters, of_a_directory_take_turns_by_name_with_their_line_ends_repaired)
{
    char directory[64];
    struct smtp_letter letter = {0};
    struct smtp_letters *letters = NULL;
    struct smtp_error error;
    smtp_make_directory(directory);
    write_file(directory, "b.eml", "Subject: b\n\nlone\rend");
    write_file(directory, "a.eml", "Subject: a\r\n\r\n.dot\r\n");
    write_file(directory, "c.txt", "not a letter");
    expect_int(smtp_letters_of_directory(&letters, directory, &error), SMTP_OK);
    const char *const wanted[] = {"Subject: a\r\n\r\n.dot\r\n",
                                  "Subject: b\r\n\r\nlone\r\nend\r\n"};
    for (uint64_t number = 0; number < 5; number++) {
        expect_true(smtp_letter_write(&letter, letters, number));
        expect_int(number_of(&letter), number);
        size_t len = strlen(wanted[number % 2]);
        expect_int(letter.len, SMTP_STAMP_LEN + len);
        expect_true(memcmp(letter.octets + SMTP_STAMP_LEN, wanted[number % 2], len) == 0);
    }
    smtp_letters_free(letters);
    smtp_letter_clear(&letter);
    smtp_remove_directory(directory);
}

TEST(letters, what_cannot_be_is_told)
{
    char directory[64];
    struct smtp_letters *letters = NULL;
    struct smtp_error error;
    smtp_make_directory(directory);
    expect_int(smtp_letters_of_sizes(&letters, SMTP_LETTER_MIN - 1, 500, &error),
               SMTP_BAD_ARGUMENT);
    expect_int(smtp_letters_of_sizes(&letters, 500, 499, &error), SMTP_BAD_ARGUMENT);
    expect_int(smtp_letters_of_sizes(&letters, 500, SMTP_LETTER_MAX + 1, &error),
               SMTP_BAD_ARGUMENT);
    expect_int(smtp_letters_of_directory(&letters, directory, &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "no file whose name ends in .eml");
    expect_int(smtp_letters_of_directory(&letters, "/nonexistent", &error), SMTP_BAD_ARGUMENT);
    expect_contains(error.message, "/nonexistent");
    expect_true(letters == NULL);
    smtp_remove_directory(directory);
}
