/* SPDY/3.1 frames: what one side writes, the other reads, however the bytes are cut; what breaks
 * the protocol ends the session. */
#include "net/spdy.h"

#include "base/arena.h"
#include "test.h"

struct seen {
    struct buf text; /* one line an event */
    struct spdy *stop;
};

static void put_headers(struct buf *b, const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(b, " %.*s=%.*s", STR_ARG(headers[i].name), STR_ARG(headers[i].value));
    buf_putc(b, '\n');
}

static void on_stream(void *arg, uint32_t id, const struct http_header *headers, size_t count,
                      bool fin)
{
    struct seen *s = arg;
    buf_printf(&s->text, "stream %u%s", id, fin ? " fin" : "");
    put_headers(&s->text, headers, count);
    if (s->stop)
        spdy_stop(s->stop);
}

static void on_reply(void *arg, uint32_t id, const struct http_header *headers, size_t count)
{
    struct seen *s = arg;
    buf_printf(&s->text, "reply %u", id);
    put_headers(&s->text, headers, count);
}

static void on_data(void *arg, uint32_t id, struct str piece)
{
    struct seen *s = arg;
    (void)id;
    buf_put(&s->text, piece);
}

static void on_end(void *arg, uint32_t id)
{
    buf_printf(&((struct seen *)arg)->text, "\nend %u\n", id);
}

static void on_reset(void *arg, uint32_t id, uint32_t why)
{
    buf_printf(&((struct seen *)arg)->text, "reset %u %u\n", id, why);
}

static void on_window(void *arg, uint32_t id, uint32_t more)
{
    buf_printf(&((struct seen *)arg)->text, "window %u +%u\n", id, more);
}

static void on_initial(void *arg, uint32_t bytes)
{
    buf_printf(&((struct seen *)arg)->text, "initial window %u\n", bytes);
}

static void on_goaway(void *arg)
{
    buf_puts(&((struct seen *)arg)->text, "goaway\n");
}

static const struct spdy_events events = {on_stream, on_reply,  on_data,    on_end,
                                          on_reset,  on_window, on_initial, on_goaway};

struct ends {
    struct spdy *client, *server;
    struct seen at_client, at_server;
    struct buf to_client, to_server, answers;
    struct err err;
};

static void ends_init(struct ends *e)
{
    *e = (struct ends){0};
    e->client = spdy_new(false, &events, &e->at_client);
    e->server = spdy_new(true, &events, &e->at_server);
}

static void ends_done(struct ends *e)
{
    spdy_free(e->client);
    spdy_free(e->server);
    buf_done(&e->at_client.text);
    buf_done(&e->at_server.text);
    buf_done(&e->to_client);
    buf_done(&e->to_server);
    buf_done(&e->answers);
}

static int feed(struct ends *e, size_t piece)
{
    int rc = 0;
    for (struct str s = buf_str(&e->to_server); rc == 0 && s.n; s = str_from(s, piece))
        rc = spdy_feed(e->server, str_head(s, piece), &e->answers, &e->err);
    buf_clear(&e->to_server);
    return rc;
}

static const struct http_header data_headers[] = {{STR_INIT("streamtype"), STR_INIT("data")},
                                                  {STR_INIT("port"), STR_INIT("80")}};

TEST(frames_arrive_as_they_were_written_however_they_are_cut)
{
    for (size_t piece = 1; piece < 40; piece += 3) {
        struct ends e;
        ends_init(&e);
        spdy_write_stream(e.client, 1, data_headers, 2, false, &e.to_server);
        spdy_write_stream(e.client, 3, data_headers, 2, true, &e.to_server);
        spdy_write_data(1, STR("hello "), false, &e.to_server);
        spdy_write_data(1, STR("world"), true, &e.to_server);
        spdy_write_data(5, STR(""), true, &e.to_server);
        spdy_write_window(1, 1000, &e.to_server);
        spdy_write_reset(3, SPDY_CANCEL, &e.to_server);
        spdy_write_goaway(e.client, false, &e.to_server);
        CHECK_OK(feed(&e, piece), &e.err);
        CHECK_STR(buf_str(&e.at_server.text), "stream 1 streamtype=data port=80\n"
                                              "stream 3 fin streamtype=data port=80\n"
                                              "hello world\nend 1\n"
                                              "\nend 5\n"
                                              "window 1 +1000\n"
                                              "reset 3 5\n"
                                              "goaway\n");
        CHECK(e.answers.n == 0);
        ends_done(&e);
    }
}

TEST(the_compressors_state_goes_on_from_block_to_block)
{
    struct ends e;
    ends_init(&e);
    for (uint32_t id = 1; id < 200; id += 2)
        spdy_write_stream(e.client, id, data_headers, 2, false, &e.to_server);
    CHECK(e.to_server.n < 100 * 45);
    CHECK_OK(feed(&e, 4096), &e.err);
    spdy_write_reply(e.server, 1, &e.to_client);
    spdy_write_reply(e.server, 3, &e.to_client);
    CHECK_OK(spdy_feed(e.client, buf_str(&e.to_client), &e.answers, &e.err), &e.err);
    CHECK_STR(buf_str(&e.at_client.text), "reply 1\nreply 3\n");
    ends_done(&e);
}

/* Written by moby/spdystream 0.5.0, the library inside kubectl. */
static const char kubectls[] =
    "\x80\x03\x00\x01\x00\x00\x00\x29\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x78\xf9"
    "\xe3\xc6\xa7\xc2\x62\x60\x60\x60\x04\xa7\xb3\x92\xa2\xd4\xc4\x5c\x68\x51\xc2\x9a"
    "\x0a\x0a\x68\x00\x00\x00\x00\xff\xff\x80\x03\x00\x01\x00\x00\x00\x17\x00\x00\x00"
    "\x03\x00\x00\x00\x00\x00\x00\xc2\x2e\x55\x5c\x92\x92\x99\x07\x00\x00\x00\xff\xff"
    "\x00\x00\x00\x03\x01\x00\x00\x03\x6c\x73\x0a";

TEST(a_clients_own_bytes_are_understood)
{
    struct ends e;
    ends_init(&e);
    buf_append(&e.to_server, kubectls, sizeof(kubectls) - 1);
    CHECK_OK(feed(&e, 100), &e.err);
    CHECK_STR(buf_str(&e.at_server.text), "stream 1 streamtype=error\n"
                                          "stream 3 streamtype=stdin\n"
                                          "ls\n\nend 3\n");
    ends_done(&e);
}

TEST(a_question_is_answered_and_an_answer_is_not)
{
    struct ends e;
    ends_init(&e);
    spdy_write_ping(7, &e.to_server);
    spdy_write_ping(8, &e.to_server);
    CHECK_OK(feed(&e, 5), &e.err);
    spdy_write_ping(7, &e.to_client);
    CHECK(str_eq(buf_str(&e.answers), buf_str(&e.to_client)));
    ends_done(&e);
}

TEST(a_peer_tells_its_windows)
{
    static const char settings[] = "\x80\x03\x00\x04\x00\x00\x00\x0c\x00\x00\x00\x01"
                                   "\x00\x00\x00\x07\x00\x01\x00\x00";
    struct ends e;
    ends_init(&e);
    buf_append(&e.to_server, settings, sizeof(settings) - 1);
    CHECK_OK(feed(&e, 3), &e.err);
    CHECK_STR(buf_str(&e.at_server.text), "initial window 65536\n");
    ends_done(&e);
}

TEST(ids_are_the_clients_and_rise)
{
    struct ends e;
    ends_init(&e);
    spdy_write_stream(e.client, 2, data_headers, 1, false, &e.to_server);
    spdy_write_stream(e.client, 5, data_headers, 1, false, &e.to_server);
    spdy_write_stream(e.client, 3, data_headers, 1, false, &e.to_server);
    CHECK_OK(feed(&e, 1000), &e.err);
    CHECK_STR(buf_str(&e.at_server.text), "stream 5 streamtype=data\n");
    CHECK_OK(spdy_feed(e.client, buf_str(&e.answers), &e.to_client, &e.err), &e.err);
    CHECK_STR(buf_str(&e.at_client.text), "reset 2 1\nreset 3 1\n");
    ends_done(&e);
}

TEST(headers_that_inflate_without_end_are_refused)
{
    struct ends e;
    ends_init(&e);
    struct arena a = {0};
    struct str zeros = {arena_zalloc(&a, 2 * SPDY_HEADERS_MAX), 2 * SPDY_HEADERS_MAX};
    struct http_header bomb = {STR("x"), zeros};
    spdy_write_stream(e.client, 1, &bomb, 1, false, &e.to_server);
    CHECK(e.to_server.n < 2000);
    CHECK(feed(&e, 1 << 20) == -1);
    CHECK_STR(str_of(e.err.message), "spdy: header block is larger than 65536 bytes");
    CHECK_OK(spdy_feed(e.client, buf_str(&e.answers), &e.to_client, &e.err), &e.err);
    CHECK_STR(buf_str(&e.at_client.text), "goaway\n");
    CHECK_STR(buf_str(&e.at_server.text), "");
    arena_done(&a);
    ends_done(&e);
}

TEST(what_is_no_spdy_ends_the_session)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
    } cases[] = {
        {"version 2", "\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01", 12},
        {"a control frame that is too large", "\x80\x03\x00\x01\x00\xff\xff\xff", 8},
        {"a short reset", "\x80\x03\x00\x03\x00\x00\x00\x04\x00\x00\x00\x01", 12},
        {"a short stream", "\x80\x03\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01", 12},
        {"settings that lie about their number", "\x80\x03\x00\x04\x00\x00\x00\x04\x00\x00\x00\x09",
         12},
        {"a block that is no zlib",
         "\x80\x03\x00\x01\x00\x00\x00\x0e\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00zzzz", 22},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ends e;
        ends_init(&e);
        buf_append(&e.to_server, cases[i].bytes, cases[i].n);
        if (feed(&e, 1000) != -1)
            test_fail(__FILE__, __LINE__, "%s was taken", cases[i].name);
        CHECK(spdy_feed(e.server, STR("anything"), &e.answers, &e.err) == 0);
        ends_done(&e);
    }
}

TEST(no_event_follows_a_stop)
{
    struct ends e;
    ends_init(&e);
    e.at_server.stop = e.server;
    spdy_write_stream(e.client, 1, data_headers, 1, true, &e.to_server);
    spdy_write_stream(e.client, 3, data_headers, 1, true, &e.to_server);
    CHECK_OK(feed(&e, 1000), &e.err);
    CHECK_STR(buf_str(&e.at_server.text), "stream 1 fin streamtype=data\n");
    ends_done(&e);
}
