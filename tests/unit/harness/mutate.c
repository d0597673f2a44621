/* mutate.c - see mutate.h. */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

/* A linear congruential generator's upper bits (Knuth's MMIX). */
static size_t drawn(uint64_t *state, size_t below)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(*state >> 33) % below;
}

static void change(char *text, size_t *len, const char *letters, uint64_t *state)
{
    size_t at = drawn(state, *len);
    char letter = letters[drawn(state, strlen(letters))];
    switch (drawn(state, 8)) {
    case 0: /* cut */
        *len = at > 0 ? at : 1;
        break;
    case 1:
    case 2: /* taken out */
        if (*len > 1) {
            memmove(text + at, text + at + 1, --*len - at);
        }
        break;
    case 3:
    case 4: /* put in */
        memmove(text + at + 1, text + at, (*len)++ - at);
        text[at] = letter;
        break;
    default:
        text[at] = letter;
        break;
    }
    text[*len] = '\0';
}

char *mutated(const char *notation, const char *letters, size_t changes, uint64_t *state)
{
    size_t len = strlen(notation);
    char *text = malloc(len + changes + 1);
    memcpy(text, notation, len + 1);
    for (size_t i = 0; i < changes; i++) {
        change(text, &len, letters, state);
    }
    char *exact = strdup(text);
    free(text);
    return exact;
}
