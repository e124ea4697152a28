/*
 * syntax.c - the byte classes of HTTP and URIs, from one table.
 *
 * Header values are looked at eight bytes at a time: nearly all of them hold nothing below a blank,
 * and every byte of every request comes through here.
 */
#include "app/http/syntax.h"

#include <string.h>

enum { CLASS_TOKEN = 1, CLASS_HOST = 2 };

#define BOTH (CLASS_TOKEN | CLASS_HOST)

static const unsigned char classes[256] = {
    ['!'] = BOTH,        ['#'] = CLASS_TOKEN, ['$'] = BOTH,        ['%'] = BOTH,
    ['&'] = BOTH,        ['\''] = BOTH,       ['('] = CLASS_HOST,  [')'] = CLASS_HOST,
    ['*'] = BOTH,        ['+'] = BOTH,        [','] = CLASS_HOST,  ['-'] = BOTH,
    ['.'] = BOTH,        ['0'] = BOTH,        ['1'] = BOTH,        ['2'] = BOTH,
    ['3'] = BOTH,        ['4'] = BOTH,        ['5'] = BOTH,        ['6'] = BOTH,
    ['7'] = BOTH,        ['8'] = BOTH,        ['9'] = BOTH,        [':'] = CLASS_HOST,
    [';'] = CLASS_HOST,  ['='] = CLASS_HOST,  ['A'] = BOTH,        ['B'] = BOTH,
    ['C'] = BOTH,        ['D'] = BOTH,        ['E'] = BOTH,        ['F'] = BOTH,
    ['G'] = BOTH,        ['H'] = BOTH,        ['I'] = BOTH,        ['J'] = BOTH,
    ['K'] = BOTH,        ['L'] = BOTH,        ['M'] = BOTH,        ['N'] = BOTH,
    ['O'] = BOTH,        ['P'] = BOTH,        ['Q'] = BOTH,        ['R'] = BOTH,
    ['S'] = BOTH,        ['T'] = BOTH,        ['U'] = BOTH,        ['V'] = BOTH,
    ['W'] = BOTH,        ['X'] = BOTH,        ['Y'] = BOTH,        ['Z'] = BOTH,
    ['['] = CLASS_HOST,  [']'] = CLASS_HOST,  ['^'] = CLASS_TOKEN, ['_'] = BOTH,
    ['`'] = CLASS_TOKEN, ['a'] = BOTH,        ['b'] = BOTH,        ['c'] = BOTH,
    ['d'] = BOTH,        ['e'] = BOTH,        ['f'] = BOTH,        ['g'] = BOTH,
    ['h'] = BOTH,        ['i'] = BOTH,        ['j'] = BOTH,        ['k'] = BOTH,
    ['l'] = BOTH,        ['m'] = BOTH,        ['n'] = BOTH,        ['o'] = BOTH,
    ['p'] = BOTH,        ['q'] = BOTH,        ['r'] = BOTH,        ['s'] = BOTH,
    ['t'] = BOTH,        ['u'] = BOTH,        ['v'] = BOTH,        ['w'] = BOTH,
    ['x'] = BOTH,        ['y'] = BOTH,        ['z'] = BOTH,        ['|'] = CLASS_TOKEN,
    ['~'] = BOTH,
};

static bool all_of(struct view text, unsigned char class)
{
    for (size_t i = 0; i < text.length; i++)
        if (!(classes[(unsigned char)text.data[i]] & class))
            return false;
    return true;
}

bool syntax_is_token(struct view text)
{
    return text.length > 0 && all_of(text, CLASS_TOKEN);
}

bool syntax_is_host(struct view text)
{
    return all_of(text, CLASS_HOST);
}

static bool value_byte_allowed(unsigned char byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

/* True when one of eight bytes is below 0x20 or equals 0x7f; the usual has-zero-byte trick. */
static bool word_has_control(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    uint64_t below_blank = (word - ones * 0x20) & ~word & highs;
    uint64_t deleted = word ^ (ones * 0x7f);
    return (below_blank | ((deleted - ones) & ~deleted & highs)) != 0;
}

bool syntax_is_field_value(struct view text)
{
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= text.length; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof word);
        if (word_has_control(word))
            break; /* perhaps only a tab: the bytes decide */
    }
    for (; i < text.length; i++)
        if (!value_byte_allowed((unsigned char)text.data[i]))
            return false;
    return true;
}

int syntax_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool syntax_percent_byte(struct view text, size_t at, unsigned char *byte)
{
    if (text.length < 3 || at > text.length - 3)
        return false;
    int high = syntax_hex_value(text.data[at + 1]), low = syntax_hex_value(text.data[at + 2]);
    if (high < 0 || low < 0)
        return false;
    *byte = (unsigned char)(high << 4 | low);
    return true;
}
