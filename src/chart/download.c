#include "chart/download.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "chart/index.h"
#include "chart/oci.h"
#include "net/url.h"

/* --- where it is --- */
int chart_find_in_repo(struct chart_ctx *cx, struct str name, const struct chart_source *source,
                       struct str *ret_url)
{
    struct index index;
    struct str text, repo = source->repo;
    struct arena *a = cx->arena;
    if (repo_get(cx, &source->access, repo, repo_url(cx, repo, STR("index.yaml")), &text) != 0 ||
        index_parse(cx, text, repo, &index) != 0)
        return chart_wrap(
            cx, "looks like \"%.*s\" is not a valid chart repository or cannot be reached",
            STR_ARG(repo));
    struct str what = arena_printf(a, "chart \"%.*s\"", STR_ARG(name));
    if (source->version.n)
        what = arena_printf(a, "%.*s version \"%.*s\"", STR_ARG(what), STR_ARG(source->version));
    const struct index_version *v = index_find(cx, &index, name, source->version);
    int status = 0;
    if (!v)
        status = chart_fail(cx, "%.*s not found in %.*s repository", STR_ARG(what), STR_ARG(repo));
    else if (!index_version_url(v).n)
        status = chart_fail(cx, "%.*s has no downloadable URLs", STR_ARG(what));
    else
        *ret_url = repo_url(cx, repo, arena_dup(a, index_version_url(v)));
    index_done(&index);
    return status;
}

/* What a user's repository adds to the flags of a command. */
static void use_entry(const struct repo_entry *e, struct chart_access *access)
{
    const struct chart_access *own = &e->access;
    if (*own->cert_file || *own->key_file || *own->ca_file) {
        access->cert_file = own->cert_file;
        access->key_file = own->key_file;
        access->ca_file = own->ca_file;
    }
    access->insecure |= own->insecure;
    if (own->username.n && own->password.n) {
        access->username = own->username;
        access->password = own->password;
        access->pass_all = own->pass_all;
    }
}

/* The repository whose index names the address, so that its credentials are used. */
static int find_owner(struct chart_ctx *cx, const struct chart_home *home,
                      const struct repo_file *repos, struct str url, struct str *ret_owner,
                      struct chart_access *access)
{
    bool found = false;
    for (size_t i = 0; i < repos->n && !found; i++) {
        struct index index;
        if (index_read(cx, repo_index_path(cx, home, repos->items[i].name), &index) != 0)
            return chart_wrap(cx, "no cached repo found. (try 'helm repo update')");
        for (size_t k = 0; k < index.n && !found; k++)
            for (size_t v = 0; v < index.entries[k].n && !found; v++)
                VAL_FOR (val_get(index.entries[k].items[v].raw, "urls"), one)
                    found |= repo_url_same(val_str(one), url);
        index_done(&index);
        if (found) {
            *ret_owner = repos->items[i].url;
            use_entry(&repos->items[i], access);
        }
    }
    return 0;
}

/* "repo/chart" by the cached index. */
static int find_cached(struct chart_ctx *cx, const struct chart_home *home,
                       const struct repo_file *repos, struct str name, struct str version,
                       struct str *ret_url, struct str *ret_owner, struct chart_access *access)
{
    struct str repo, chart;
    struct index index;
    if (!str_cut(name, '/', &repo, &chart))
        return chart_fail(
            cx, "non-absolute URLs should be in form of repo_name/path_to_chart, got: %.*s",
            STR_ARG(name));
    const struct repo_entry *e = repo_file_find(repos, repo);
    if (!e)
        return chart_fail(cx, "repo %.*s not found", STR_ARG(repo));
    if (!e->url.n)
        return chart_fail(cx, "no URL found for repository %.*s", STR_ARG(repo));
    if (index_read(cx, repo_index_path(cx, home, repo), &index) != 0)
        return chart_wrap(cx, "no cached repo found. (try 'helm repo update')");
    use_entry(e, access);
    const struct index_version *v = index_find(cx, &index, chart, version);
    int status = 0;
    if (!v)
        status = chart_wrap(cx,
                            "chart \"%.*s\" matching %.*s not found in %.*s index. (try 'helm repo "
                            "update')",
                            STR_ARG(chart), STR_ARG(version), STR_ARG(repo));
    else if (!index_version_url(v).n)
        status = chart_fail(cx, "chart \"%.*s\" has no downloadable URLs", STR_ARG(name));
    else {
        *ret_url = repo_url(cx, e->url, arena_dup(cx->arena, index_version_url(v)));
        *ret_owner = e->url;
    }
    index_done(&index);
    return status;
}

/* --- fetching --- */
struct job {
    struct chart_ctx *cx;
    const struct chart_home *home;
    const struct chart_source *source;
    struct chart_access access;
    struct str url, owner;
    struct oci_ref ref; /* of registries */
    const char *path;
};

static int keep(struct chart_ctx *cx, const char *path, struct str data)
{
    struct err err;
    return file_write(path, data, 0644, &err) == 0 ? 0 : chart_fail_file(cx, &err);
}

static int get_provenance(struct job *j, struct str *ret)
{
    struct oci_pulled pulled;
    if (!oci_is_url(j->url))
        return repo_get(j->cx, &j->access, j->owner,
                        arena_printf(j->cx->arena, "%.*s.prov", STR_ARG(j->url)), ret);
    int status = oci_pull(j->cx, j->home, &j->access, &j->ref, OCI_PROVENANCE, &pulled);
    *ret = pulled.provenance;
    return status;
}

static int verify(struct job *j, struct str name, struct chart_download *ret)
{
    struct chart_ctx *cx = j->cx;
    struct str data;
    if (get_provenance(j, &data) != 0) {
        if (j->source->verify == VERIFY_ALWAYS)
            return chart_fail(cx, "failed to fetch provenance \"%.*s.prov\"", STR_ARG(j->url));
        ret->warning = arena_printf(cx->arena, "WARNING: Verification not found for %.*s: %.*s\n",
                                    STR_ARG(name), STR_ARG(cx->error));
        return 0;
    }
    if (keep(cx, arena_printf(cx->arena, "%s.prov", j->path).p, data) != 0)
        return -1;
    return j->source->verify == VERIFY_LATER
               ? 0
               : provenance_verify(cx, j->path, j->source->keyring, &ret->verification);
}

static int fetch_oci(struct job *j, struct str *ret)
{
    struct chart_ctx *cx = j->cx;
    struct oci_pulled pulled;
    if (oci_pick(cx, j->home, &j->access, j->url, j->source->version, &j->ref) != 0 ||
        oci_pull(cx, j->home, &j->access, &j->ref, OCI_CHART, &pulled) != 0)
        return -1;
    struct str last = path_base(oci_ref_text(cx->arena, &j->ref)), name, tag;
    *ret = pulled.chart;
    /* The tag stands for a version, whose plus signs it could not hold. */
    if (j->ref.tag.n) {
        char *text = arena_z(cx->arena, j->ref.tag);
        for (char *p = text; *p; p++)
            *p = *p == '_' ? '+' : *p;
        str_cut(last, ':', &name, &tag);
        tag = str_of(text);
    } else {
        str_cut(last, ':', &name, &tag);
    }
    j->url = arena_printf(cx->arena, "oci://%.*s", STR_ARG(oci_ref_text(cx->arena, &j->ref)));
    j->path = arena_printf(cx->arena, "%s/%.*s-%.*s.tgz", j->path, STR_ARG(name), STR_ARG(tag)).p;
    return 0;
}

static int fetch_http(struct job *j, struct str name, struct str *ret)
{
    struct chart_ctx *cx = j->cx;
    struct repo_file repos;
    struct url u;
    if (repo_file_read(cx, j->home->repositories, &repos) != 0)
        return -1;
    if (j->source->repo.n) {
        j->owner = j->source->repo;
        if (chart_find_in_repo(cx, name, j->source, &j->url) != 0)
            return -1;
    } else if (url_split(name, &u)) {
        j->url = j->owner = name;
        if (find_owner(cx, j->home, &repos, name, &j->owner, &j->access) != 0)
            return -1;
    } else if (find_cached(cx, j->home, &repos, name, j->source->version, &j->url, &j->owner,
                           &j->access) != 0) {
        return -1;
    }
    if (oci_is_url(j->url))
        return fetch_oci(j, ret);
    if (repo_get(cx, &j->access, j->owner, j->url, ret) != 0)
        return -1;
    struct str path;
    str_cut(j->url, '?', &path, &(struct str){0});
    struct str base = path_base(path), file;
    if (!url_decode(cx->arena, base, false, &file) || str_find_char(file, '/') >= 0)
        file = base;
    j->path = arena_printf(cx->arena, "%s/%.*s", j->path, STR_ARG(file)).p;
    return 0;
}

int chart_fetch(struct chart_ctx *cx, const struct chart_home *home, struct str name,
                const struct chart_source *source, const char *dir, struct chart_download *ret)
{
    struct job j = {.cx = cx,
                    .home = home,
                    .source = source,
                    .access = source->access,
                    .url = name,
                    .path = dir};
    struct str data;
    *ret = (struct chart_download){0};
    int status = oci_is_url(name) ? fetch_oci(&j, &data) : fetch_http(&j, name, &data);
    if (status != 0 || keep(cx, j.path, data) != 0)
        return -1;
    ret->path = j.path;
    return source->verify == VERIFY_NEVER ? 0 : verify(&j, name, ret);
}

/* --- unpacking --- */
/* Opens a name below a folder, where links may not lead out of it. */
static int open_below(int dir, const char *name, int flags)
{
    struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                           .mode = flags & O_CREAT ? 0644 : 0,
                           .resolve = RESOLVE_IN_ROOT};
    return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

/* Makes the folders above a file, one after another. */
static int make_folders(int root, char *name)
{
    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int have = open_below(root, name, O_PATH | O_DIRECTORY);
        if (have < 0) {
            char *last = strrchr(name, '/');
            if (last)
                *last = '\0';
            int parent = open_below(root, last ? name : ".", O_PATH | O_DIRECTORY);
            int made = parent < 0 ? -1 : mkdirat(parent, last ? last + 1 : name, 0755);
            if (parent >= 0)
                close(parent);
            if (last)
                *last = '/';
            if (made < 0 && errno != EEXIST)
                return -1;
        } else {
            close(have);
        }
        *slash = '/';
    }
    return 0;
}

static int write_below(struct chart_ctx *cx, int root, const struct chart_file *f)
{
    char *name = arena_z(cx->arena, f->name);
    CLEANUP(fd_closep) int fd = -1;
    if (make_folders(root, name) == 0)
        fd = open_below(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY);
    for (struct str rest = f->data; fd >= 0 && rest.n;) {
        ssize_t n = write(fd, rest.p, rest.n);
        if (n < 0)
            return chart_fail(cx, "write %s: %s", name, strerror(errno));
        rest = str_from(rest, (size_t)n);
    }
    return fd < 0 ? chart_fail(cx, "open %s: %s", name, strerror(errno)) : 0;
}

static int chart_name(struct chart_ctx *cx, const struct chart_files *files, struct str *ret)
{
    const struct chart_file *f = chart_files_find(files, "Chart.yaml");
    struct chart_meta meta = {0};
    if (f && chart_meta_read(cx, f->data, &meta) != 0)
        return chart_wrap(cx, "cannot load Chart.yaml");
    if (!meta.name.n)
        return chart_fail(cx, "chart name not specified");
    if (str_is(meta.name, ".") || str_is(meta.name, ".."))
        return chart_fail(cx, "chart name \"%.*s\" is not allowed", STR_ARG(meta.name));
    if (str_find_char(meta.name, '/') >= 0 || memchr(meta.name.p, 0, meta.name.n))
        return chart_fail(cx, "chart name \"%.*s\" must not contain path separators",
                          STR_ARG(meta.name));
    *ret = meta.name;
    return 0;
}

int chart_expand(struct chart_ctx *cx, const char *dir, const char *file)
{
    struct buf text = {0};
    struct chart_files files = {0};
    struct str name;
    struct err err;
    CLEANUP(fd_closep) int root = -1;
    if (file_read(file, CHART_MAX_TOTAL, &text, &err) != 0)
        return chart_fail_file(cx, &err);
    int status = chart_read_archive(cx, buf_str(&text), &files);
    buf_done(&text);
    if (status != 0 || chart_name(cx, &files, &name) != 0)
        return -1;
    const char *folder = arena_printf(cx->arena, "%s/%.*s", dir, STR_ARG(name)).p;
    if (file_mkdirs(folder, 0755, &err) != 0)
        return chart_fail_file(cx, &err);
    root = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (root < 0)
        return chart_fail(cx, "open %s: %s", folder, strerror(errno));
    for (size_t i = 0; i < files.n; i++)
        if (write_below(cx, root, &files.items[i]) != 0)
            return -1;
    return 0;
}
