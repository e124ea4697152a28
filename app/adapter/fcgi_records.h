/*
 * fcgi_records.h - FastCGI records as bytes: what of a request has arrived, and the one record that
 * is written by hand. No I/O, no allocation, safe on any bytes.
 *
 * A record is a header of 8 bytes (version 1, type, request id, content length, padding length,
 * reserved; big-endian), the content and the padding. A request is BEGIN_REQUEST, PARAMS up to an
 * empty one, STDIN up to an empty one. FastCGI Specification 1.0, sections 3 and 5.
 */
#ifndef HEARTH_FCGI_RECORDS_H
#define HEARTH_FCGI_RECORDS_H

#include "hearth/base.h"

enum { FCGI_HEADER_BYTES = 8, FCGI_END_REQUEST_BYTES = 16 };

enum fcgi_record_type {
    FCGI_BEGIN_REQUEST = 1,
    FCGI_END_REQUEST = 3,
    FCGI_PARAMS = 4,
    FCGI_STDIN = 5,
};

enum fcgi_role { FCGI_RESPONDER = 1 };

enum fcgi_protocol_status { FCGI_UNKNOWN_ROLE = 3 };

struct fcgi_record {
    unsigned version, type, request_id;
    size_t content_bytes, padding_bytes;
};

void fcgi_record_parse(const unsigned char header[FCGI_HEADER_BYTES], struct fcgi_record *record);
/* Is it the record that ends a request's input? */
bool fcgi_record_is_input_end(const unsigned char header[FCGI_HEADER_BYTES]);
/* Can a reader of these bytes, the first on a connection, come to a decision without more of them?
 * True when they hold a whole head, up to the empty PARAMS record, or what no request begins with.
 */
bool fcgi_head_has_arrived(struct view bytes);
/* Writes an END_REQUEST record. */
void fcgi_record_write_end(unsigned char record[FCGI_END_REQUEST_BYTES], int request_id,
                           enum fcgi_protocol_status status);

#endif
