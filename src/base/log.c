#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static atomic_int lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&lowest, (int)level);
}

static void put_head(struct buf *line, enum log_level level, const char *room)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int64_t ns = wall_ns(world_real());
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char stamp[32];
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_printf(line, "%s.%03dZ %s %s: ", stamp, (int)(ns / 1000000 % 1000), names[level], room);
}

static bool is_plain(const char *value)
{
    if (!*value)
        return false;
    for (; *value; value++)
        if ((unsigned char)*value <= ' ' || *value == '"' || *value == '\\' || *value == '=' ||
            *value == 0x7F)
            return false;
    return true;
}

static void put_escaped(struct buf *line, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n')
            buf_puts(line, "\\n");
        else if (c < ' ' || c == 0x7F)
            buf_printf(line, "\\x%02x", c);
        else
            buf_putc(line, (char)c);
    }
}

static void put_value(struct buf *line, const char *value)
{
    if (is_plain(value)) {
        buf_puts(line, value);
        return;
    }
    buf_putc(line, '"');
    for (; *value; value++) {
        char one[2] = {*value, '\0'};
        if (*value == '"' || *value == '\\')
            buf_putc(line, '\\');
        put_escaped(line, one);
    }
    buf_putc(line, '"');
}

static void emit(struct buf *line)
{
    buf_putc(line, '\n');
    ssize_t ignored = write(STDERR_FILENO, line->p, line->n);
    (void)ignored;
    buf_done(line);
}

void log_write(enum log_level level, const char *room, const char *message, ...)
{
    if ((int)level < atomic_load(&lowest))
        return;
    struct buf line = {0};
    put_head(&line, level, room);
    put_escaped(&line, message);
    va_list args;
    va_start(args, message);
    for (const char *key; (key = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        if (!value)
            break;
        buf_printf(&line, " %s=", key);
        put_value(&line, value);
    }
    va_end(args);
    emit(&line);
}

void log_writef(enum log_level level, const char *room, const char *format, ...)
{
    if ((int)level < atomic_load(&lowest))
        return;
    struct buf line = {0}, text = {0};
    put_head(&line, level, room);
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    put_escaped(&line, buf_z(&text));
    buf_done(&text);
    emit(&line);
}
