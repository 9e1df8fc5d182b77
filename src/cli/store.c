/* tutti store: what is kept is saved, brought back and moved as a whole. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/store_spec.h"

struct store_command {
    struct store_spec from, to;
    char temporary[2][64]; /* pictures of etcd, for the time of the command */
    size_t temporaries;
};

/* A command's own picture of etcd: the server's is in use. */
static int config_of(struct store_command *c, struct store_spec *spec, struct buf *dir,
                     struct store_config *ret, struct err *err)
{
    if (store_spec_parse(spec, dir, ret, err))
        return -1;
    if (!ret->etcd_endpoints)
        return 0;
    char *own = c->temporary[c->temporaries];
    snprintf(own, sizeof(c->temporary[0]), "/var/tmp/tutti-store-XXXXXX");
    if (!mkdtemp(own))
        return err_errno(err, "make %s", own);
    c->temporaries++;
    ret->dir = own;
    return 0;
}

static int backup(struct store_command *c, const char *file, struct err *err)
{
    struct store_config config;
    struct store *s;
    struct buf dir = {0};
    int64_t keys;
    int rc = config_of(c, &c->from, &dir, &config, err);
    config.read_only = !config.etcd_endpoints; /* beside a running server */
    if (!rc && !(rc = store_open(&config, &s, err))) {
        rc = store_backup(s, file, &keys, err);
        store_close(s);
    }
    buf_done(&dir);
    if (!rc)
        printf("%lld objects are in %s\n", (long long)keys, file);
    return rc;
}

static int restore(struct store_command *c, const char *file, struct err *err)
{
    struct store_config config;
    struct buf dir = {0};
    int64_t keys;
    int rc = config_of(c, &c->to, &dir, &config, err);
    if (!rc)
        rc = store_restore(&config, file, &keys, err);
    buf_done(&dir);
    if (!rc)
        printf("%lld objects restored%s\n", (long long)keys,
               config.etcd_endpoints ? "; resource versions begin anew" : "");
    return rc;
}

static int migrate(struct store_command *c, struct err *err)
{
    struct store_config from, to;
    struct store *source = NULL, *target = NULL;
    struct buf dirs[2] = {0};
    int64_t keys;
    int rc = config_of(c, &c->from, &dirs[0], &from, err) ||
                     config_of(c, &c->to, &dirs[1], &to, err) ||
                     (!from.etcd_endpoints && access(from.dir, F_OK) &&
                      err_errno(err, "open %s", from.dir)) ||
                     store_open(&from, &source, err) || store_open(&to, &target, err) ||
                     store_copy(source, target, &keys, err)
                 ? -1
                 : 0;
    store_close(target);
    store_close(source);
    buf_done(&dirs[0]);
    buf_done(&dirs[1]);
    if (!rc)
        printf("%lld objects copied; resource versions begin anew\n", (long long)keys);
    return rc;
}

static int usage(FILE *to, int code)
{
    fputs("Usage: tutti store backup  [--from STORE] FILE   a running server may go on\n"
          "       tutti store restore [--to STORE] FILE     into an empty store\n"
          "       tutti store migrate --from STORE --to STORE\n\n"
          "STORE is lmdb=DIR (a server's data folder; the default is " CLI_DEFAULT_DATA_DIR
          ")\nor etcd=URL,URL. No server may use a store that is restored or migrated.\n\n"
          "Options of the etcd client:\n"
          "  --etcd-cafile FILE, --etcd-certfile FILE, --etcd-keyfile FILE, --etcd-prefix PREFIX\n",
          to);
    return code;
}

int cmd_store(int argc, char **argv)
{
    struct store_command c = {0};
    struct store_spec etcd = {.data_dir = CLI_DEFAULT_DATA_DIR};
    const struct cli_option options[] = {
        {"from", &c.from.text, NULL, "STORE", "the store that is read"},
        {"to", &c.to.text, NULL, "STORE", "the store that is written"},
        {"etcd-cafile", &etcd.cafile, NULL, "FILE", "whom to trust as etcd"},
        {"etcd-certfile", &etcd.certfile, NULL, "FILE", "certificate for etcd"},
        {"etcd-keyfile", &etcd.keyfile, NULL, "FILE", "its key"},
        {"etcd-prefix", &etcd.prefix, NULL, "PREFIX", "of all keys in etcd (/tutti/)"},
        {0},
    };
    int rest;
    if (argc < 1 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return argc < 1 ? usage(stderr, 2) : usage(stdout, 0);
    int parsed = cli_parse("store", options, argc, argv, &rest);
    if (parsed)
        return parsed < 0 ? 2 : 0;
    etcd.text = c.from.text;
    c.from = etcd;
    etcd.text = c.to.text;
    c.to = etcd;
    struct err err;
    int rc;
    if (rest == 2 && strcmp(argv[0], "backup") == 0)
        rc = backup(&c, argv[1], &err);
    else if (rest == 2 && strcmp(argv[0], "restore") == 0)
        rc = restore(&c, argv[1], &err);
    else if (rest == 1 && strcmp(argv[0], "migrate") == 0 && c.from.text && c.to.text)
        rc = migrate(&c, &err);
    else
        return usage(stderr, 2);
    struct err ignored;
    for (size_t i = 0; i < c.temporaries; i++)
        file_remove_tree(c.temporary[i], &ignored);
    return rc ? cli_fail("store", &err) : 0;
}
