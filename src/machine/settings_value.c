/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One value: text to field and back, with the range of its row, in every locale alike. */
#include <stdio.h>
#include <string.h>

#include "machine/settings.h"
#include "machine/settings_private.h"

#define FRACTION_DIGITS 9

const char *setting_quote(const char *text, size_t length, char out[SETTING_VALUE]) {
    size_t n = length < 40 ? length : 40;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = c < 0x20 || c > 0x7e ? '?' : (char)c;
    }
    memcpy(out + n, length > n ? "..." : "", length > n ? 4 : 1);
    return out;
}

/* Digits with at most nine behind a point: *whole counts units of 10^-*places. Returns what follows, or NULL. */
static const char *decimal(const char *s, uint64_t *whole, unsigned *places) {
    bool point = false, digits = false;

    *whole = 0;
    *places = 0;
    for (;; s++) {
        if (*s == '.' && !point && digits) {
            point = true;
            continue;
        }
        if (*s < '0' || *s > '9')
            break;
        digits = true;
        if (__builtin_mul_overflow(*whole, 10, whole) ||
            __builtin_add_overflow(*whole, (uint64_t)(*s - '0'), whole) || (point && ++*places > FRACTION_DIGITS))
            return NULL;
    }
    return digits && s[-1] != '.' ? s : NULL;
}

static uint64_t power_of_ten(unsigned n) {
    uint64_t p = 1;

    while (n--)
        p *= 10;
    return p;
}

/* The shift of K, M, G, ... (also KB, KiB); -1: no such unit. */
static int unit_shift(const char *s) {
    static const char letters[] = "KMGTPE";
    const char *at;

    if (!*s || !strcmp(s, "B"))
        return 0;
    at = strchr(letters, *s == 'k' ? 'K' : *s);
    if (!at || !*at)
        return -1;
    if (s[1] && strcmp(s + 1, "B") && strcmp(s + 1, "iB"))
        return -1;
    return 10 * (int)(at - letters + 1);
}

int settings_parse_bytes(const char *text, uint64_t *bytes) {
    uint64_t whole, divisor;
    unsigned places;
    const char *unit = text + strspn(text, "0123456789."), *end;
    int shift = unit_shift(unit);
    unsigned __int128 exact;

    if (shift < 0 || unit == text)
        return -EINVAL;
    end = decimal(text, &whole, &places);
    if (!end) /* digits alone fail only by being too many */
        return strchr(text, '.') ? -EINVAL : -ERANGE;
    if (end != unit)
        return -EINVAL;
    divisor = power_of_ten(places);
    exact = (unsigned __int128)whole << shift;
    if (exact % divisor)
        return -EINVAL; /* part of a byte */
    if (exact / divisor > UINT64_MAX)
        return -ERANGE;
    *bytes = (uint64_t)(exact / divisor);
    return 0;
}

void setting_format_bytes(uint64_t bytes, char out[SETTING_VALUE]) {
    static const char *const units[] = {"", "K", "M", "G", "T", "P", "E"};
    unsigned u = 0;

    while (bytes && bytes % 1024 == 0 && u < 6) {
        bytes /= 1024;
        u++;
    }
    snprintf(out, SETTING_VALUE, "%llu%s", (unsigned long long)bytes, units[u]);
}

static int parse_u64(const char *text, uint64_t *value) {
    unsigned places;
    const char *end;

    if (!*text || text[strspn(text, "0123456789")])
        return -EINVAL;
    end = decimal(text, value, &places);
    return end && !*end ? 0 : -ERANGE;
}

/* Mantissa and power of ten are exact below 2^53, so the quotient is the double nearest to the text. */
static int parse_number(const char *text, double *value) {
    uint64_t whole;
    unsigned places;
    const char *end = decimal(text, &whole, &places);

    if (!end || *end || whole >> 53)
        return -EINVAL;
    *value = (double)whole / (double)power_of_ten(places);
    return 0;
}

static void format_number(double value, char out[SETTING_VALUE]) {
    unsigned places = 0;
    uint64_t whole, scale;

    do {
        scale = power_of_ten(places);
        whole = (uint64_t)(value * (double)scale + 0.5);
    } while ((double)whole / (double)scale != value && places++ < FRACTION_DIGITS - 1);
    if (places == 0)
        snprintf(out, SETTING_VALUE, "%llu", (unsigned long long)whole);
    else
        snprintf(out, SETTING_VALUE, "%llu.%0*llu", (unsigned long long)(whole / scale), (int)places,
                 (unsigned long long)(whole % scale));
}

static int parse_bool(const char *text, bool *value) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

    for (unsigned i = 0; i < 6; i++)
        if (!strcmp(text, words[i])) {
            *value = i & 1;
            return 0;
        }
    return -EINVAL;
}

static int parse_word(const struct setting *s, const char *text, size_t length, uint32_t *value) {
    for (const struct setting_word *w = s->words; w->name; w++)
        if (strlen(w->name) == length && !memcmp(w->name, text, length)) {
            *value |= w->value;
            return 0;
        }
    return -EINVAL;
}

/* "4K,2M" */
static int parse_words(const struct setting *s, const char *text, uint32_t *value) {
    int err;

    for (;;) {
        size_t n = strcspn(text, ",");
        err = parse_word(s, text, n, value);
        if (err || !text[n])
            return err;
        text += n + 1;
    }
}

static int parse_name(const char *text, char *field) {
    size_t n = strlen(text);

    if (!n || n >= CFG_NAME || *text == '-' || *text == '_' || *text == ':' ||
        text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:-")])
        return -EINVAL;
    memset(field, 0, CFG_NAME);
    memcpy(field, text, n);
    return 0;
}

static void expected_words(const struct setting *s, const char *last, char *out, size_t bytes) {
    size_t n = strlen(out);

    for (const struct setting_word *w = s->words; w->name && n < bytes; w++) {
        const char *separator = w == s->words ? "" : w[1].name ? ", " : last;
        n += (size_t)snprintf(out + n, bytes - n, "%s%s", separator, w->name);
    }
}

void setting_expected(const struct setting *s, char *out, size_t bytes) {
    const char *space = *s->unit ? " " : "";

    switch (s->type) {
    case SETTING_BOOL:
        snprintf(out, bytes, "true or false");
        return;
    case SETTING_U32:
    case SETTING_U64:
        snprintf(out, bytes, "a whole number from %s to %s%s%s", s->min, s->max, space, s->unit);
        return;
    case SETTING_BYTES:
        snprintf(out, bytes, "a size in bytes from %s to %s, such as 64K, 22M or 1.5G", s->min, s->max);
        return;
    case SETTING_NUMBER:
        snprintf(out, bytes, "a number from %s to %s%s%s", s->min, s->max, space, s->unit);
        return;
    case SETTING_ENUM:
        *out = '\0';
        expected_words(s, " or ", out, bytes);
        return;
    case SETTING_SET:
        snprintf(out, bytes, "one or more of ");
        expected_words(s, " and ", out, bytes);
        return;
    case SETTING_NAME:
        snprintf(out, bytes, "a name of at most %d letters, digits, :, - and _", CFG_NAME - 1);
    }
}

/* The part of the text that is wrong: of a list, its first wrong word. */
static size_t wrong_part(const struct setting *s, const char **text) {
    uint32_t any = 0;

    if (s->type != SETTING_SET)
        return strlen(*text);
    for (;;) {
        size_t n = strcspn(*text, ",");
        if (parse_word(s, *text, n, &any) || !(*text)[n])
            return n;
        *text += n + 1;
    }
}

static int mismatch(const struct setting *s, const char *path, const char *text, char *why, size_t why_bytes) {
    char expected[160], shown[SETTING_VALUE];
    const char *names[8], *near = NULL;
    unsigned n = 0;
    uint64_t any;

    setting_expected(s, expected, sizeof expected);
    setting_quote(text, wrong_part(s, &text), shown);
    for (const struct setting_word *w = s->words; w && w->name && n < 8; w++)
        names[n++] = w->name;
    /* A page size that exists somewhere, but not here, deserves a better word than "expected". */
    if (s->type == SETTING_SET && !settings_parse_bytes(s->words[0].name, &any) &&
        !settings_parse_bytes(shown, &any)) {
        snprintf(why, why_bytes, "%s: no architecture has pages of %s; expected %s", path, shown, expected);
        return -EINVAL;
    }
    if (n && strlen(shown) > 2)
        near = settings_nearest(shown, names, n);
    snprintf(why, why_bytes, "%s is \"%s\"; expected %s%s%s%s", path, shown, expected,
             near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
    return -EINVAL;
}

static int out_of_range(const struct setting *s, const char *path, const char *text, char *why, size_t why_bytes) {
    char shown[SETTING_VALUE];

    snprintf(why, why_bytes, "%s is %s; it must be from %s to %s%s%s", path,
             setting_quote(text, strlen(text), shown), s->min, s->max, *s->unit ? " " : "", s->unit);
    return -ERANGE;
}

static int parse_scalar(const struct setting *s, const char *text, uint64_t *value) {
    uint64_t min = 0, max = 0;
    int err = s->type == SETTING_BYTES ? settings_parse_bytes(text, value) : parse_u64(text, value);

    if (err)
        return err;
    /* Sizes read plain numbers too, so this reads the range of both. */
    settings_parse_bytes(s->min, &min);
    settings_parse_bytes(s->max, &max);
    return *value < min || *value > max ? -ERANGE : 0;
}

static int parse_double(const struct setting *s, const char *text, double *value) {
    double min = 0, max = 0;
    const char *digits = *text == '-' ? text + 1 : text;
    int err = parse_number(digits, value);

    if (err)
        return err;
    parse_number(s->min, &min);
    parse_number(s->max, &max);
    return digits != text || *value < min || *value > max ? -ERANGE : 0;
}

int setting_parse(const struct setting *s, const char *path, const char *text, void *field, char *why,
                  size_t bytes) {
    union {
        uint64_t u64;
        uint32_t u32;
        double number;
        bool yes;
        char name[CFG_NAME];
    } v = {0};
    size_t size = 0;
    int err = -EINVAL;

    switch (s->type) {
    case SETTING_BOOL:
        err = parse_bool(text, &v.yes), size = sizeof v.yes;
        break;
    case SETTING_U32:
        err = parse_scalar(s, text, &v.u64), size = sizeof v.u32;
        if (!err)
            v.u32 = (uint32_t)v.u64;
        else if (*text == '-' && !parse_u64(text + 1, &v.u64))
            err = -ERANGE;
        break;
    case SETTING_U64:
    case SETTING_BYTES:
        err = parse_scalar(s, text, &v.u64), size = sizeof v.u64;
        break;
    case SETTING_NUMBER:
        err = parse_double(s, text, &v.number), size = sizeof v.number;
        break;
    case SETTING_ENUM:
        err = parse_word(s, text, strlen(text), &v.u32), size = sizeof v.u32;
        break;
    case SETTING_SET:
        err = parse_words(s, text, &v.u32), size = sizeof v.u32;
        break;
    case SETTING_NAME:
        err = parse_name(text, v.name), size = sizeof v.name;
        break;
    }
    if (err == -ERANGE)
        return out_of_range(s, path, text, why, bytes);
    if (err)
        return mismatch(s, path, text, why, bytes);
    memcpy(field, &v, size);
    return 0;
}

static uint32_t read_u32(const void *field) {
    uint32_t v;

    memcpy(&v, field, sizeof v);
    return v;
}

void setting_format(const struct setting *s, const void *field, char out[SETTING_VALUE]) {
    uint64_t u64;
    double number;
    size_t n = 0;

    *out = '\0';
    switch (s->type) {
    case SETTING_BOOL:
        snprintf(out, SETTING_VALUE, "%s", *(const bool *)field ? "true" : "false");
        break;
    case SETTING_U32:
        snprintf(out, SETTING_VALUE, "%u", read_u32(field));
        break;
    case SETTING_U64:
    case SETTING_BYTES:
        memcpy(&u64, field, sizeof u64);
        if (s->type == SETTING_BYTES)
            setting_format_bytes(u64, out);
        else
            snprintf(out, SETTING_VALUE, "%llu", (unsigned long long)u64);
        break;
    case SETTING_NUMBER:
        memcpy(&number, field, sizeof number);
        format_number(number, out);
        break;
    case SETTING_ENUM:
        for (const struct setting_word *w = s->words; w->name; w++)
            if (w->value == read_u32(field))
                snprintf(out, SETTING_VALUE, "%s", w->name);
        break;
    case SETTING_SET:
        for (const struct setting_word *w = s->words; w->name; w++)
            if (w->value & read_u32(field))
                n += (size_t)snprintf(out + n, SETTING_VALUE - n, "%s%s", n ? "," : "", w->name);
        break;
    case SETTING_NAME:
        snprintf(out, SETTING_VALUE, "%.*s", CFG_NAME - 1, (const char *)field);
        break;
    }
}
