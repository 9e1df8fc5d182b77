/* log.h: one line an event, on standard error.
 *
 *     log_info("node", "container started", "pod", pod, "id", id);
 *
 * prints `2026-01-02T03:04:05.678Z info node: container started pod=web-0 id=4f…`. The words after
 * the message are pairs of key and value (C strings), closed by the macro. Values with blanks or
 * quotes are quoted. A line is written by one write(2), so lines of several processes and threads
 * never mix. Never log a secret, a token or an environment value. */
#pragma once

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below the level are dropped. Set once, before threads start; the default is info. */
void log_set_level(enum log_level level);

void log_write(enum log_level level, const char *room, const char *message, ...)
    __attribute__((sentinel));
void log_writef(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(room, ...) log_write(LOG_DEBUG, room, __VA_ARGS__, (char *)0)
#define log_info(room, ...) log_write(LOG_INFO, room, __VA_ARGS__, (char *)0)
#define log_warn(room, ...) log_write(LOG_WARN, room, __VA_ARGS__, (char *)0)
#define log_error(room, ...) log_write(LOG_ERROR, room, __VA_ARGS__, (char *)0)
