/* helm_ask.c: what a person types. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/helm.h"

static struct str without_newline(struct str s)
{
    if (str_ends(s, STR("\n")))
        s.n--;
    if (str_ends(s, STR("\r")))
        s.n--;
    return s;
}

int helm_ask(struct chart_ctx *cx, const char *prompt, bool silent, struct str *ret)
{
    struct termios old, hidden;
    bool hides = silent && tcgetattr(STDIN_FILENO, &old) == 0;
    char *line = NULL;
    size_t room = 0;
    fputs(prompt, stdout);
    fflush(stdout);
    if (hides) {
        hidden = old;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    ssize_t n = getline(&line, &room, stdin);
    if (hides)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    if (silent)
        putchar('\n');
    if (n >= 0)
        *ret = arena_dup(cx->arena, without_newline((struct str){line, (size_t)n}));
    if (silent && line)
        explicit_bzero(line, room);
    free(line);
    return n >= 0 ? 0 : chart_fail(cx, "EOF");
}

int helm_read_password(struct chart_ctx *cx, const char **ret)
{
    struct str text;
    if (helm_read_file(cx, STR("-"), &text) != 0)
        return -1;
    *ret = arena_z(cx->arena, without_newline(text));
    return 0;
}
