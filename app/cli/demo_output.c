/*
 * demo_output.c - made-up readings as a file.
 *
 * {"time":"2025-09-14T08:39:26Z","type":"F007TH","channel":5,"rolling_code":15,"temperature":655,
 *  "humidity":47,"battery_ok":true,"signal":-63}
 *
 * The temperature is in tenths of a degree Fahrenheit, as the radio's; in CSV in degrees.
 */
#include "app/cli/demo_output.h"

#include "app/core/memory.h"
#include "handlers/sensor/record/scale.h"
#include "handlers/sensor/text/text_put.h"

#include <errno.h>
#include <string.h>

enum { FILE_BUFFER_BYTES = 1 << 20, LINE_BYTES = 256, LINES_AT_ONCE = 1024 };

bool demo_format_of(const char *path, enum demo_format *format)
{
    static const char *const ends[] = {".bin", ".jsonl", ".csv"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (!view_ends_with(view_of(path), view_of(ends[i])))
            continue;
        *format = (enum demo_format)i;
        return true;
    }
    return false;
}

static enum hearth_error failed(const struct demo_output *output, struct error_record *error)
{
    int number = errno ? errno : EIO;
    return error_set_internal(error, error_from_errno(number), number, "write %s", output->path);
}

enum hearth_error demo_output_open(struct demo_output *output, const char *path,
                                   enum demo_format format, struct error_record *error)
{
    *output = (struct demo_output){.format = format, .path = path};
    if (format != DEMO_BIN)
        output->text = memory_new((size_t)LINES_AT_ONCE * LINE_BYTES);
    if (format != DEMO_BIN && !output->text)
        return error_set_internal(error, HEARTH_NO_MEMORY, ENOMEM, "no memory to write %s", path);
    output->file = fopen(path, "we");
    if (!output->file)
        return error_set_internal(error, error_from_errno(errno), errno, "open %s", path);
    setvbuf(output->file, NULL, _IOFBF, FILE_BUFFER_BYTES);
    if (format == DEMO_CSV &&
        fputs("time,channel,rolling_code,temperature_F,humidity,battery_ok,signal\n",
              output->file) < 0)
        return failed(output, error);
    return HEARTH_OK;
}

static char *put_json(char *at, const struct reading *reading)
{
    at = text_put(at, VIEW("{\"time\":\""));
    at = text_put_time(at, reading->time_ms, 0);
    at = text_put(at, VIEW("\",\"type\":\"F007TH\",\"channel\":"));
    at = text_put_integer(at, reading->channel);
    at = text_put(at, VIEW(",\"rolling_code\":"));
    at = text_put_integer(at, reading->rolling_code);
    at = text_put(at, VIEW(",\"temperature\":"));
    at = text_put_integer(at, reading_tenths_f(reading));
    at = text_put(at, VIEW(",\"humidity\":"));
    at = text_put_integer(at, reading->humidity);
    at = text_put(at, reading->battery_low ? VIEW(",\"battery_ok\":false,\"signal\":")
                                           : VIEW(",\"battery_ok\":true,\"signal\":"));
    at = text_put_integer(at, -reading->signal);
    return text_put(at, VIEW("}\n"));
}

static char *put_csv(char *at, const struct reading *reading)
{
    const int64_t numbers[] = {reading->channel, reading->rolling_code};
    at = text_put_time(at, reading->time_ms, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *at++ = ',';
        at = text_put_integer(at, numbers[i]);
    }
    *at++ = ',';
    at = text_put_decimal(at, reading_tenths_f(reading), 1);
    *at++ = ',';
    at = text_put_integer(at, reading->humidity);
    at = text_put(at, reading->battery_low ? VIEW(",0,") : VIEW(",1,"));
    at = text_put_integer(at, -reading->signal);
    *at++ = '\n';
    return at;
}

static enum hearth_error write_lines(struct demo_output *output, const struct record *records,
                                     size_t count, struct error_record *error)
{
    char *at = output->text;
    for (size_t i = 0; i < count; i++) {
        struct reading reading;
        if (record_decode(&records[i], &reading) != REJECT_NONE)
            continue; /* it made them itself */
        at = output->format == DEMO_JSONL ? put_json(at, &reading) : put_csv(at, &reading);
    }
    size_t length = (size_t)(at - output->text);
    return fwrite(output->text, 1, length, output->file) == length ? HEARTH_OK
                                                                   : failed(output, error);
}

enum hearth_error demo_output_write(struct demo_output *output, const struct record *records,
                                    size_t count, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    errno = 0;
    if (output->format == DEMO_BIN)
        return fwrite(records, sizeof *records, count, output->file) == count
                   ? HEARTH_OK
                   : failed(output, error);
    while (code == HEARTH_OK && count > 0) {
        size_t some = count < LINES_AT_ONCE ? count : LINES_AT_ONCE;
        code = write_lines(output, records, some, error);
        records += some;
        count -= some;
    }
    return code;
}

enum hearth_error demo_output_close(struct demo_output *output, struct error_record *error)
{
    enum hearth_error code = HEARTH_OK;
    errno = 0;
    if (output->file && fclose(output->file) != 0)
        code = failed(output, error);
    output->file = NULL;
    memory_free(output->text);
    output->text = NULL;
    return code;
}
