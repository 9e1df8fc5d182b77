#include "test.h"

#include "net/ws.h"

struct inbox {
    struct buf text; /* "OP:payload;" for each message */
};

static void on_message(void *arg, enum ws_opcode op, struct str payload)
{
    struct inbox *in = arg;
    buf_printf(&in->text, "%d:%.*s;", (int)op, STR_ARG(payload));
}

TEST(ws_accept_key_is_that_of_rfc_6455)
{
    char key[29];
    ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZQ=="), key);
    CHECK_STR(str_of(key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/* The examples of RFC 6455 section 5.7, and what must be refused. */
TEST(ws_feed_reads_frames)
{
#define F(literal) literal, sizeof(literal) - 1
    static const struct {
        const char *name;
        bool server;
        const char *in;
        size_t n;
        const char *messages;
        const char *error; /* NULL: none */
    } cases[] = {
        {"unmasked text", false, F("\x81\x05Hello"), "1:Hello;", NULL},
        {"masked text", true, F("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "1:Hello;", NULL},
        {"fragments", false, F("\x01\x03Hel\x80\x02lo"), "1:Hello;", NULL},
        {"ping between fragments", false, F("\x01\x03Hel\x89\x01x\x80\x02lo"), "1:Hello;", NULL},
        {"pong", false, F("\x8A\x01x"), "10:x;", NULL},
        {"binary with a 16 bit length", false,
         F("\x82\x7E\x00\x03"
           "abc"),
         "2:abc;", NULL},
        {"two messages", false,
         F("\x81\x01"
           "a\x81\x01"
           "b"),
         "1:a;1:b;", NULL},
        {"close with code", false, F("\x88\x02\x03\xE8"), "8:\x03\xE8;", NULL},
        {"nothing behind close", false,
         F("\x88\x00\x81\x01"
           "a"),
         "8:;", NULL},
        {"masked to a client", false,
         F("\x81\x81\x00\x00\x00\x00"
           "a"),
         "", "frame is masked"},
        {"unmasked to a server", true,
         F("\x81\x01"
           "a"),
         "", "frame is not masked"},
        {"reserved bits", false,
         F("\xC1\x01"
           "a"),
         "", "reserved bits are set"},
        {"unknown opcode", false,
         F("\x83\x01"
           "a"),
         "", "unknown opcode"},
        {"unknown control", false,
         F("\x8B\x01"
           "a"),
         "", "unknown opcode"},
        {"fragmented ping", false,
         F("\x09\x01"
           "a"),
         "", "control frame is fragmented or too long"},
        {"long ping", false, F("\x89\x7E\x00\x7E"), "", "control frame is fragmented or too long"},
        {"continuation of nothing", false,
         F("\x80\x01"
           "a"),
         "", "continuation of nothing"},
        {"message in a message", false,
         F("\x01\x01"
           "a\x81\x01"
           "b"),
         "", "message inside a fragmented one"},
        {"bad UTF-8", false, F("\x81\x01\xFF"), "", "text is not UTF-8"},
        {"overlong UTF-8", false, F("\x81\x02\xC0\x80"), "", "text is not UTF-8"},
        {"surrogate", false, F("\x81\x03\xED\xA0\x80"), "", "text is not UTF-8"},
        {"too big", false, F("\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"), "", "message is too big"},
        {"negative", false, F("\x82\x7F\x80\x00\x00\x00\x00\x01\x00\x00"), "",
         "frame length is negative"},
        {"close with one byte", false, F("\x88\x01\x03"), "", "bad close code"},
        {"close with a reserved code", false, F("\x88\x02\x03\xED"), "", "bad close code"},
    };
#undef F
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t step = 1; step <= cases[i].n; step += cases[i].n - 1 ? cases[i].n - 1 : 1) {
            struct inbox in = {0};
            struct buf out = {0};
            struct ws w;
            struct err err = {0};
            int result = 0;
            ws_init(&w, cases[i].server, 1000, on_message, &in);
            for (size_t at = 0; at < cases[i].n && result == 0; at += step) {
                struct str rest = {cases[i].in + at, cases[i].n - at};
                result = ws_feed(&w, str_head(rest, step), &out, &err);
            }
            CHECK_STR(buf_str(&in.text), cases[i].messages);
            if (cases[i].error) {
                CHECK_INT(result, -1);
                CHECK_STR(str_from(str_of(err.message), strlen("websocket: ")), cases[i].error);
                CHECK_INT((unsigned char)out.p[out.n ? 0 : 0] & 15, WS_CLOSE);
            } else {
                CHECK_INT(result, 0);
            }
            buf_done(&in.text);
            buf_done(&out);
            ws_done(&w);
        }
}

TEST(ws_ping_is_answered_with_its_payload)
{
    struct inbox in = {0};
    struct buf out = {0};
    struct ws w;
    struct err err;
    ws_init(&w, false, 1000, on_message, &in);
    CHECK_OK(ws_feed(&w, STR("\x89\x02hi"), &out, &err), &err);
    CHECK_INT(out.n, 8); /* masked: head, key, payload */
    struct ws server;
    ws_init(&server, true, 1000, on_message, &in);
    struct buf answer = {0};
    CHECK_OK(ws_feed(&server, buf_str(&out), &answer, &err), &err);
    CHECK_STR(buf_str(&in.text), "10:hi;");
    buf_done(&in.text), buf_done(&out), buf_done(&answer);
    ws_done(&w), ws_done(&server);
}

static void count_bytes(void *arg, enum ws_opcode op, struct str payload)
{
    (void)op;
    *(size_t *)arg = payload.n;
}

TEST(ws_write_is_read_back_in_all_sizes)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 100000};
    for (int server = 0; server < 2; server++)
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            struct ws from, to;
            struct buf payload = {0}, wire = {0}, out = {0};
            struct err err;
            size_t got = 1;
            buf_reserve(&payload, sizes[i]);
            memset(payload.p, 'x', sizes[i]);
            payload.n = sizes[i];
            ws_init(&from, server, 0, NULL, NULL);
            ws_init(&to, !server, 100000, count_bytes, &got);
            ws_write(&from, WS_BINARY, buf_str(&payload), &wire);
            CHECK_OK(ws_feed(&to, buf_str(&wire), &out, &err), &err);
            CHECK_INT(got, sizes[i]);
            buf_done(&payload), buf_done(&wire), buf_done(&out);
            ws_done(&from), ws_done(&to);
        }
}
