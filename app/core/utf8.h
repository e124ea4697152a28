/*
 * utf8.h - one character at a time, as the Unicode Standard defines well-formed UTF-8 (section 3.9,
 * table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef HEARTH_CORE_UTF8_H
#define HEARTH_CORE_UTF8_H

#include "hearth/base.h"

/* The replacement character U+FFFD. */
#define UTF8_REPLACEMENT VIEW("\xEF\xBF\xBD")

/* The bytes of the first character of `text` (not empty), 1 to 4, with `*valid` true; or, with
 * `*valid` false, the bytes that one U+FFFD stands for: the longest start of a well-formed sequence
 * ("maximal subpart"), at least 1. */
size_t utf8_next(struct view text, bool *valid);

/* The longest start of `text` of at most `max_bytes` that does not end within a character. */
struct view utf8_cut(struct view text, size_t max_bytes);

#endif
