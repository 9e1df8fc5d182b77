#include "base/err.h"

#include <errno.h>
#include <stdio.h>

static void cut_at_utf8(char *message, size_t size, int printed)
{
    if (printed < 0 || (size_t)printed < size)
        return;
    size_t n = size - 1;
    while (n && ((unsigned char)message[n - 1] & 0xC0) == 0x80)
        n--;
    if (n && (unsigned char)message[n - 1] >= 0xC0)
        n--;
    message[n] = '\0';
}

int err_setv(struct err *err, int code, const char *reason, const char *format, va_list args)
{
    if (!err)
        return -1;
    /* The arguments may point into err itself, so the message is printed before anything is
     * cleared. */
    char message[sizeof(err->message)];
    int n = vsnprintf(message, sizeof(message), format, args);
    cut_at_utf8(message, sizeof(message), n);
    err->code = code;
    err->reason = reason;
    err->line = err->column = 0;
    err->field[0] = '\0';
    memcpy(err->message, message, sizeof(message));
    return -1;
}

#define ERR_SET(err, code, reason, format)                                                         \
    do {                                                                                           \
        va_list args_;                                                                             \
        va_start(args_, format);                                                                   \
        err_setv(err, code, reason, format, args_);                                                \
        va_end(args_);                                                                             \
    } while (0)

int err_set(struct err *err, int code, const char *reason, const char *format, ...)
{
    ERR_SET(err, code, reason, format);
    return -1;
}

int err_internal(struct err *err, const char *format, ...)
{
    ERR_SET(err, 500, "InternalError", format);
    return -1;
}

int err_bad(struct err *err, const char *format, ...)
{
    ERR_SET(err, 400, "BadRequest", format);
    return -1;
}

int err_errno(struct err *err, const char *format, ...)
{
    int saved = errno;
    ERR_SET(err, 500, "InternalError", format);
    if (err) {
        size_t n = strlen(err->message);
        int printed = snprintf(err->message + n, sizeof(err->message) - n, ": %s", strerror(saved));
        cut_at_utf8(err->message + n, sizeof(err->message) - n, printed);
    }
    errno = saved;
    return -1;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (!err)
        return -1;
    char prefix[sizeof(err->message)], joined[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    cut_at_utf8(prefix, sizeof(prefix), n);
    size_t room = sizeof(joined), used = 0;
    for (const char *part[] = {prefix, ": ", err->message}, **at = part; at < part + 3; at++) {
        size_t len = strlen(*at);
        if (len > room - 1 - used)
            len = room - 1 - used;
        memcpy(joined + used, *at, len);
        used += len;
    }
    joined[used] = '\0';
    memcpy(err->message, joined, sizeof(joined));
    return -1;
}
