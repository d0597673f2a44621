/* nearest.c - the distance between two words: how many letters to put in, take out or change
 * (Levenshtein). A word that begins with what was typed counts as near too. */
#include "harness/nearest.h"

#include <string.h>

#define WORD_MAX 63 /* longer words are nobody's name for anything */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance_between(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return WORD_MAX;
    }
    size_t row[WORD_MAX + 1]; /* distances of a's first i letters to each prefix of b */
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(change, 1 + smaller(row[j], row[j - 1]));
        }
    }
    return row[b_len];
}

void smtp_nearest_offer(struct smtp_nearest *nearest, const char *word)
{
    size_t typed_len = strlen(nearest->typed);
    size_t distance = distance_between(nearest->typed, word);
    if (typed_len >= 3 && strncmp(word, nearest->typed, typed_len) == 0) {
        distance = 1;
    }
    if (distance > 1 + typed_len / 4) {
        return;
    }
    if (nearest->word == NULL || distance < nearest->distance) {
        nearest->word = word;
        nearest->distance = distance;
    }
}
