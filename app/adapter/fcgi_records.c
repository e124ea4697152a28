/*
 * fcgi_records.c - see fcgi_records.h. A head is walked record by record, over the lengths that the
 * headers state; contents are not looked at.
 */
#include "app/adapter/fcgi_records.h"

#include <string.h>

void fcgi_record_parse(const unsigned char header[FCGI_HEADER_BYTES], struct fcgi_record *record)
{
    record->version = header[0];
    record->type = header[1];
    record->request_id = (unsigned)header[2] << 8 | header[3];
    record->content_bytes = (size_t)header[4] << 8 | header[5];
    record->padding_bytes = header[6];
}

bool fcgi_record_is_input_end(const unsigned char header[FCGI_HEADER_BYTES])
{
    struct fcgi_record record;
    fcgi_record_parse(header, &record);
    return record.type == FCGI_STDIN && record.content_bytes == 0;
}

/* Records of other requests and management records (id 0) are passed over, as the library does. */
bool fcgi_head_has_arrived(struct view bytes)
{
    unsigned request_id = 0;
    while (bytes.length >= FCGI_HEADER_BYTES) {
        struct fcgi_record record;
        fcgi_record_parse((const unsigned char *)bytes.data, &record);
        const bool ours = record.request_id != 0 && record.request_id == request_id;
        if (record.version != 1) {
            return true;
        }
        if (record.type == FCGI_BEGIN_REQUEST && request_id == 0) {
            request_id = record.request_id;
            if (request_id == 0) {
                return true;
            }
        } else if (ours && (record.type != FCGI_PARAMS || record.content_bytes == 0)) {
            return true;
        }
        bytes = view_skip(bytes, FCGI_HEADER_BYTES + record.content_bytes + record.padding_bytes);
    }
    return false;
}

void fcgi_record_write_end(unsigned char record[FCGI_END_REQUEST_BYTES], int request_id,
                           enum fcgi_protocol_status status)
{
    memset(record, 0, FCGI_END_REQUEST_BYTES);
    record[0] = 1;
    record[1] = FCGI_END_REQUEST;
    record[2] = (unsigned char)(request_id >> 8);
    record[3] = (unsigned char)request_id;
    record[5] = FCGI_END_REQUEST_BYTES - FCGI_HEADER_BYTES;
    record[FCGI_HEADER_BYTES + 4] = (unsigned char)status;
}
