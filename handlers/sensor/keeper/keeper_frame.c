/*
 * keeper_frame.c - what travels through the keeper's socket. Both ends are on one machine; numbers
 * are little-endian, errors and reasons travel by name. Byte by byte:
 *
 *   hello, from the keeper, with the descriptor of the published state (SCM_RIGHTS):
 *      0  8  "HEARTHK1"
 *      8  4  the published state's size     12  4  the number of its fields
 *
 *   request:
 *      0  4  "HKRQ"    4  1  kind: 1 append, 2 seal    5  3  zero
 *      8  4  records (at most 65,536)                 12  4  rejected readings (at most 4,096)
 *     16  4  bytes of those (at most 1 MB)            20  4  how long the peer waits, ms
 *     then the records, 12 bytes each (hearth/reading_store.h), then the rejected readings:
 *      0  1  length of the reason    1  1  length of the source    2  2  zero
 *      4  4  how many readings       8  4  length of the text      then reason, source, text
 *
 *   answer, one to each request:
 *      0  4  "HKAN"    4  4  errno or 0    8  32  error, its name, padded with NUL
 *     40  8  accepted 48  8  duplicate    56   8  quarantined
 *     64  8  first    72  8  last         80   4  bytes of the detail (at most 239)    84  4  zero
 *     then the detail
 */
#include "handlers/sensor/keeper/keeper_frame.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { NAME_BYTES = 32, REJECTED_HEAD_BYTES = 12, BACKLOG = 16, CONNECT_SECONDS = 3 };

static const char hello_magic[8] = {'H', 'E', 'A', 'R', 'T', 'H', 'K', '1'};
static const char request_magic[4] = {'H', 'K', 'R', 'Q'};
static const char answer_magic[4] = {'H', 'K', 'A', 'N'};

static void put32(unsigned char *bytes, uint32_t number)
{
    number = htole32(number);
    memcpy(bytes, &number, sizeof number);
}

static uint32_t get32(const unsigned char *bytes)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return le32toh(number);
}

static void put64(unsigned char *bytes, uint64_t number)
{
    number = htole64(number);
    memcpy(bytes, &number, sizeof number);
}

static uint64_t get64(const unsigned char *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return le64toh(number);
}

/* ---- Hello ---- */

void frame_hello_format(unsigned char bytes[FRAME_HELLO_BYTES])
{
    memcpy(bytes, hello_magic, sizeof hello_magic);
    put32(bytes + 8, sizeof(struct live_published));
    put32(bytes + 12, LIVE_STATE_FIELDS);
}

bool frame_hello_parse(const unsigned char bytes[FRAME_HELLO_BYTES])
{
    unsigned char own[FRAME_HELLO_BYTES];
    frame_hello_format(own);
    return memcmp(own, bytes, sizeof own) == 0;
}

/* ---- Requests ---- */

void frame_request_format(const struct frame_request *request,
                          unsigned char bytes[FRAME_REQUEST_BYTES])
{
    memset(bytes, 0, FRAME_REQUEST_BYTES);
    memcpy(bytes, request_magic, sizeof request_magic);
    bytes[4] = (unsigned char)request->kind;
    put32(bytes + 8, request->records);
    put32(bytes + 12, request->rejected);
    put32(bytes + 16, request->rejected_bytes);
    put32(bytes + 20, request->timeout_ms);
}

bool frame_request_parse(const unsigned char bytes[FRAME_REQUEST_BYTES],
                         struct frame_request *request)
{
    static const unsigned char zero[3] = {0};
    *request = (struct frame_request){
        .kind = (enum frame_kind)bytes[4],
        .records = get32(bytes + 8),
        .rejected = get32(bytes + 12),
        .rejected_bytes = get32(bytes + 16),
        .timeout_ms = get32(bytes + 20),
    };
    return memcmp(bytes, request_magic, sizeof request_magic) == 0 &&
           memcmp(bytes + 5, zero, sizeof zero) == 0 &&
           (request->kind == FRAME_APPEND || request->kind == FRAME_SEAL) &&
           request->records <= FRAME_RECORDS && request->rejected <= FRAME_REJECTED &&
           request->rejected_bytes <= FRAME_REJECTED_BYTES;
}

/* ---- Answers ---- */

void frame_answer_format(const struct frame_answer *answer, unsigned char bytes[FRAME_ANSWER_BYTES])
{
    memset(bytes, 0, FRAME_ANSWER_BYTES);
    memcpy(bytes, answer_magic, sizeof answer_magic);
    put32(bytes + 4, (uint32_t)answer->number);
    snprintf((char *)bytes + 8, NAME_BYTES, "%s", error_name(answer->code));
    put64(bytes + 40, answer->result.accepted);
    put64(bytes + 48, answer->result.duplicate);
    put64(bytes + 56, answer->result.quarantined);
    put64(bytes + 64, (uint64_t)answer->result.first_ms);
    put64(bytes + 72, (uint64_t)answer->result.last_ms);
    put32(bytes + 80, answer->detail_bytes);
}

static bool error_by_name(const char name[NAME_BYTES], enum hearth_error *code)
{
    for (int i = 0; i < HEARTH_ERROR_COUNT; i++)
        if (strncmp(name, error_name((enum hearth_error)i), NAME_BYTES) == 0) {
            *code = (enum hearth_error)i;
            return true;
        }
    return false;
}

bool frame_answer_parse(const unsigned char bytes[FRAME_ANSWER_BYTES], struct frame_answer *answer)
{
    *answer = (struct frame_answer){
        .number = (int)get32(bytes + 4),
        .result = {.accepted = get64(bytes + 40),
                   .duplicate = get64(bytes + 48),
                   .quarantined = get64(bytes + 56),
                   .first_ms = (int64_t)get64(bytes + 64),
                   .last_ms = (int64_t)get64(bytes + 72)},
        .detail_bytes = get32(bytes + 80),
    };
    return memcmp(bytes, answer_magic, sizeof answer_magic) == 0 &&
           error_by_name((const char *)bytes + 8, &answer->code) &&
           answer->detail_bytes <= FRAME_DETAIL_BYTES;
}

/* ---- Rejected readings ---- */

bool frame_rejected_put(unsigned char bytes[FRAME_REJECTED_BYTES], size_t *length,
                        const struct rejected_reading *rejected)
{
    const char *reason = record_reject_name(rejected->reason);
    size_t reason_length = strlen(reason), source_length = strlen(rejected->source);
    size_t needed = REJECTED_HEAD_BYTES + reason_length + source_length + rejected->raw.length;
    if (reason_length > UINT8_MAX || source_length > UINT8_MAX ||
        rejected->raw.length > FRAME_REJECTED_BYTES || needed > FRAME_REJECTED_BYTES - *length)
        return false;
    unsigned char *at = bytes + *length;
    at[0] = (unsigned char)reason_length;
    at[1] = (unsigned char)source_length;
    at[2] = at[3] = 0;
    put32(at + 4, rejected->count > UINT32_MAX ? UINT32_MAX : (uint32_t)rejected->count);
    put32(at + 8, (uint32_t)rejected->raw.length);
    at += REJECTED_HEAD_BYTES;
    memcpy(at, reason, reason_length);
    memcpy(at + reason_length, rejected->source, source_length);
    if (rejected->raw.length > 0)
        memcpy(at + reason_length + source_length, rejected->raw.data, rejected->raw.length);
    *length += needed;
    return true;
}

/* The program's own spelling of the reason, which lives for ever; NULL when it is none. */
static const char *reason_by_name(struct view name)
{
    for (int i = 1; i < REJECT_COUNT; i++)
        if (view_equal(name, view_of(record_reject_name((enum record_reject)i))))
            return record_reject_name((enum record_reject)i);
    return NULL;
}

bool frame_rejected_next(struct view bytes, size_t *at, struct quarantine_entry *entry)
{
    if (bytes.length < *at || bytes.length - *at < REJECTED_HEAD_BYTES)
        return false;
    const unsigned char *head = (const unsigned char *)bytes.data + *at;
    size_t reason_length = head[0], source_length = head[1], raw_length = get32(head + 8);
    size_t from = *at + REJECTED_HEAD_BYTES;
    if (bytes.length - from < reason_length + source_length ||
        bytes.length - from - reason_length - source_length < raw_length)
        return false;
    *entry = (struct quarantine_entry){
        .reason = reason_by_name(view_slice(bytes, from, reason_length)),
        .source = view_slice(bytes, from + reason_length, source_length),
        .raw = view_slice(bytes, from + reason_length + source_length, raw_length),
        .count = get32(head + 4),
    };
    *at = from + reason_length + source_length + raw_length;
    return entry->reason != NULL;
}

/* ---- The socket's place ---- */

/* A name for the directory that fits a socket's address. */
static void short_address(int directory, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/keeper.sock",
             directory);
}

/* The mode is the socket's before it has a name: nobody gets in between. */
static bool listen_at(int file, const struct sockaddr_un *address)
{
    return fchmod(file, 0660) == 0 && (unlink(address->sun_path) == 0 || errno == ENOENT) &&
           bind(file, (const struct sockaddr *)address, sizeof *address) == 0 &&
           chmod(address->sun_path, 0660) == 0 && listen(file, BACKLOG) == 0;
}

/* Waits for a place among the keeper's peers, and not for ever. */
static bool connect_to(int file, const struct sockaddr_un *address)
{
    const struct timeval patience = {.tv_sec = CONNECT_SECONDS};
    return setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
           connect(file, (const struct sockaddr *)address, sizeof *address) == 0;
}

int keeper_socket_open(const char *store, bool listens)
{
    struct sockaddr_un address;
    int directory = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int file = directory >= 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    bool opened = false;
    if (file >= 0) {
        short_address(directory, &address);
        opened = listens ? listen_at(file, &address) : connect_to(file, &address);
    }
    int number = errno;
    if (!opened && file >= 0)
        close(file);
    if (directory >= 0)
        close(directory);
    errno = number;
    return opened ? file : -1;
}
