/*
 * auth_header.c - the token that an Authorization header carries (RFC 9110 section 11.6.2, RFC
 * 6750, RFC 7617).
 *
 * Senders differ: curl says Bearer, InfluxDB's clients say Token, or Basic with any user, and the
 * oldest sensor of all sends the bare token. A scheme that is none of these carries no token of
 * ours.
 */
#include "app/http/auth_header.h"

#include <string.h>

/* 0..63, or -1. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Up to two '=' at the end; some senders leave them out. */
static struct view cut_padding(struct view text)
{
    for (int i = 0; i < 2 && view_ends_with(text, VIEW("=")); i++)
        text.length--;
    return text;
}

static bool decode_base64(struct view text, char *out, size_t capacity, size_t *length)
{
    unsigned bits = 0;
    int bit_count = 0;
    text = cut_padding(text);
    *length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int value = base64_value(text.data[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffffu;
        bit_count += 6;
        if (bit_count < 8)
            continue;
        if (*length == capacity)
            return false;
        bit_count -= 8;
        out[(*length)++] = (char)(unsigned char)(bits >> bit_count & 0xffu);
    }
    return bit_count < 6; /* one character alone says nothing */
}

static struct view basic_password(struct view credentials, char decoded[AUTH_BASIC_MAXIMUM])
{
    size_t length;
    if (!decode_base64(credentials, decoded, AUTH_BASIC_MAXIMUM, &length))
        return VIEW_NONE;
    struct view rest = view_from(decoded, length);
    (void)view_split(&rest, ':');
    return rest;
}

struct view auth_header_token(struct view header, char decoded[AUTH_BASIC_MAXIMUM])
{
    struct view rest = view_trim(header);
    struct view scheme = view_split(&rest, ' ');
    if (!rest.data)
        return scheme;
    rest = view_trim(rest);
    if (view_equal_ignore_case(scheme, VIEW("Bearer")) ||
        view_equal_ignore_case(scheme, VIEW("Token")))
        return rest;
    if (view_equal_ignore_case(scheme, VIEW("Basic")))
        return basic_password(rest, decoded);
    return VIEW_NONE;
}
