#include "cli/helm_help.h"

#include <stdlib.h>
#include <string.h>

const struct helm_usage helm_usages[] = {
    {"completion", "[bash|zsh|fish|powershell]", "generate a completion script for a shell",
     HELM_OPERAND_SHELL},
    {"create", "NAME", "create a new chart with the given name", HELM_OPERAND_NONE},
    {"dependency", "build|list|update", "manage a chart's dependencies", HELM_OPERAND_NONE},
    {"dependency build", "CHART", "fill charts/ with what Chart.lock fixes", HELM_OPERAND_FILE},
    {"dependency list", "CHART", "list a chart's dependencies", HELM_OPERAND_FILE},
    {"dependency update", "CHART", "fill charts/ with what Chart.yaml asks for", HELM_OPERAND_FILE},
    {"diff", "COMMAND", "what an upgrade or rollback would change, or two releases differ in",
     HELM_OPERAND_NONE},
    {"drift", "RELEASE", "where live objects differ from a release", HELM_OPERAND_RELEASE},
    {"env", "[NAME]", "print the environment of helm", HELM_OPERAND_NONE},
    {"get", "all|hooks|manifest|metadata|notes|values", "show what is kept of a release",
     HELM_OPERAND_NONE},
    {"get all", "RELEASE_NAME", "everything of a release", HELM_OPERAND_RELEASE},
    {"get hooks", "RELEASE_NAME", "the hooks of a release", HELM_OPERAND_RELEASE},
    {"get manifest", "RELEASE_NAME", "the objects of a release", HELM_OPERAND_RELEASE},
    {"get metadata", "RELEASE_NAME", "chart, version and state of a release", HELM_OPERAND_RELEASE},
    {"get notes", "RELEASE_NAME", "the notes of a release", HELM_OPERAND_RELEASE},
    {"get values", "RELEASE_NAME", "the values of a release", HELM_OPERAND_RELEASE},
    {"history", "RELEASE_NAME", "show the revisions of a release", HELM_OPERAND_RELEASE},
    {"install", "[NAME] [CHART]", "install a chart", HELM_OPERAND_NEW_CHART},
    {"lint", "PATH", "look for what is wrong with a chart", HELM_OPERAND_FILE},
    {"list", "", "list releases", HELM_OPERAND_NONE},
    {"package", "[CHART_PATH] [...]", "pack a chart's folder", HELM_OPERAND_FILE},
    {"plugin", "list", "plugins; there are none", HELM_OPERAND_NONE},
    {"plugin list", "", "list plugins", HELM_OPERAND_NONE},
    {"pull", "[chart URL | repo/chartname] [...]",
     "fetch charts from repositories and registries, and perhaps unpack them", HELM_OPERAND_CHART},
    {"push", "[chart] [remote]", "send a packed chart to a registry", HELM_OPERAND_FILE},
    {"registry", "login|logout", "log in to or out of a registry", HELM_OPERAND_NONE},
    {"registry login", "[host]", "log in to a registry", HELM_OPERAND_NONE},
    {"registry logout", "[host]", "forget a registry's password", HELM_OPERAND_NONE},
    {"repo", "add|index|list|remove|update", "manage chart repositories", HELM_OPERAND_NONE},
    {"repo add", "[NAME] [URL]", "add a chart repository", HELM_OPERAND_NONE},
    {"repo index", "[DIR]", "write index.yaml for a folder of packed charts", HELM_OPERAND_FILE},
    {"repo list", "", "list chart repositories", HELM_OPERAND_NONE},
    {"repo remove", "[REPO1 [REPO2 ...]]", "remove chart repositories", HELM_OPERAND_REPO},
    {"repo update", "[REPO1 [REPO2 ...]]", "fetch what repositories have now", HELM_OPERAND_REPO},
    {"rollback", "<RELEASE> [REVISION]", "bring back an earlier revision of a release",
     HELM_OPERAND_RELEASE},
    {"search", "hub|repo", "search for charts", HELM_OPERAND_NONE},
    {"search hub", "[KEYWORD]", "search in Artifact Hub or a hub of your own", HELM_OPERAND_NONE},
    {"search repo", "[keyword]", "search in the repositories that were added", HELM_OPERAND_CHART},
    {"show", "all|chart|crds|readme|values", "show parts of a chart", HELM_OPERAND_NONE},
    {"show all", "[CHART]", "all that is to be shown of a chart", HELM_OPERAND_CHART},
    {"show chart", "[CHART]", "a chart's Chart.yaml", HELM_OPERAND_CHART},
    {"show crds", "[CHART]", "a chart's custom resource definitions", HELM_OPERAND_CHART},
    {"show readme", "[CHART]", "a chart's README", HELM_OPERAND_CHART},
    {"show values", "[CHART]", "a chart's values.yaml", HELM_OPERAND_CHART},
    {"status", "RELEASE_NAME", "show the state of a release", HELM_OPERAND_RELEASE},
    {"template", "[NAME] [CHART]", "render a chart's templates here", HELM_OPERAND_NEW_CHART},
    {"test", "[RELEASE]", "run the tests of a release", HELM_OPERAND_RELEASE},
    {"uninstall", "RELEASE_NAME [...]", "uninstall releases", HELM_OPERAND_RELEASE},
    {"upgrade", "[RELEASE] [CHART]", "upgrade a release", HELM_OPERAND_RELEASE_CHART},
    {"verify", "PATH", "verify that a packed chart is what its author signed", HELM_OPERAND_FILE},
    {"version", "", "print the version", HELM_OPERAND_NONE},
    {0},
};

const struct helm_usage *helm_usage_find(struct str path)
{
    for (const struct helm_usage *u = helm_usages; u->path; u++)
        if (str_is(path, u->path))
            return u;
    return NULL;
}

/* Flags mean the same wherever they stand. */
static const struct {
    const char *name, *text;
} flag_texts[] = {
    {"against-context", "the context of the other side"},
    {"against-namespace", "the namespace of the other side"},
    {"against-revision", "the revision of the other side"},
    {"all", "all of them"},
    {"all-lines", "lines that stay the same, too"},
    {"all-namespaces", "in all namespaces"},
    {"allow-deprecated-repos", "allow repositories that are known to be gone"},
    {"allow-unreleased", "a release that does not exist is an empty one"},
    {"api-versions", "API versions that .Capabilities has besides its own"},
    {"app-version", "the chart's appVersion from now on"},
    {"atomic", "undo everything when it fails; waits"},
    {"burst-limit", "taken for Helm's sake, ignored"},
    {"ca-file", "trust the certificates of this file"},
    {"cascade", "what becomes of dependents: background, orphan or foreground"},
    {"cert-file", "the client certificate to show"},
    {"cleanup-on-fail", "remove new objects when it fails"},
    {"client", "taken for Helm's sake, ignored"},
    {"context", "the context of the kubeconfig"},
    {"create-namespace", "create the namespace if it is missing"},
    {"date", "by the time of the last change"},
    {"debug", "say more"},
    {"dependency-update", "fill charts/ first"},
    {"deployed", "deployed ones"},
    {"description", "a description of the change"},
    {"destination", "the folder to write to"},
    {"detailed-exitcode", "end with 2 when there are differences"},
    {"devel", "prereleases too: the version >0.0.0-0"},
    {"disable-openapi-validation", "do not check objects against the cluster's schemas"},
    {"dry-run", "change nothing: client, or server to ask the cluster"},
    {"enable-dns", "let templates look up host names"},
    {"endpoint", "the hub to ask"},
    {"fail-on-no-result", "fail when nothing is found"},
    {"fail-on-repo-update-fail", "fail when a repository does not answer"},
    {"failed", "failed ones"},
    {"filter", "a regular expression of names; for tests name=NAME or !name=NAME"},
    {"force", "replace objects that cannot be changed"},
    {"force-update", "replace a repository of the same name"},
    {"generate-name", "make up the release's name"},
    {"hide-notes", "do not print the notes"},
    {"hide-secret", "leave secrets out of what a dry run prints"},
    {"history-max", "how many revisions are kept; 0 is no limit"},
    {"ignore-not-found", "a release that is not there is no failure"},
    {"include-crds", "custom resource definitions too"},
    {"insecure", "do not verify the server's certificate"},
    {"insecure-skip-tls-verify", "do not verify the server's certificate"},
    {"install", "install the release when there is none"},
    {"is-upgrade", "render as for an upgrade"},
    {"json", "as JSON"},
    {"keep-history", "keep the release's records"},
    {"key", "the name of the signing key"},
    {"key-file", "the client certificate's key"},
    {"keyring", "the file of OpenPGP keys"},
    {"kube-apiserver", "the address of the API server"},
    {"kube-as-group", "groups to act as; may be repeated"},
    {"kube-as-user", "the user to act as"},
    {"kube-ca-file", "the certificate authority of the API server"},
    {"kube-context", "the context of the kubeconfig"},
    {"kube-insecure-skip-tls-verify", "do not verify the API server's certificate"},
    {"kube-tls-server-name", "the name that the API server's certificate must have"},
    {"kube-token", "the bearer token for the API server"},
    {"kube-version", "the Kubernetes version that .Capabilities has"},
    {"kubeconfig", "the kubeconfig file"},
    {"labels", "labels of the release's record: a=b,c=d"},
    {"list-repo-url", "addresses of repositories too"},
    {"logs", "the logs of test pods"},
    {"max", "how many to show"},
    {"max-col-width", "how wide a column may be"},
    {"merge", "an index whose charts are taken over"},
    {"name-template", "a template of the release's name"},
    {"namespace", "the namespace"},
    {"no-color", "without colours"},
    {"no-descriptions", "complete without descriptions"},
    {"no-headers", "without the table's head"},
    {"no-hooks", "without hooks"},
    {"no-update", "ignored"},
    {"offset", "how many to leave out at the start"},
    {"output", "table, json or yaml"},
    {"output-dir", "write files to this folder"},
    {"pass-credentials", "the password goes to other hosts, too"},
    {"passphrase-file", "the file of the key's passphrase; - is stdin"},
    {"password", "the password"},
    {"password-stdin", "read the password from stdin"},
    {"pending", "pending ones"},
    {"plain-http", "without TLS"},
    {"post-renderer", "a program that the objects are sent through"},
    {"post-renderer-args", "arguments of that program"},
    {"prov", "fetch the provenance without verifying it"},
    {"qps", "taken for Helm's sake, ignored"},
    {"quiet", "warnings and errors alone"},
    {"recreate-pods", "restart the pods, if their kind allows it"},
    {"regexp", "the keyword is a regular expression"},
    {"registry-config", "the file of registries' passwords"},
    {"release-name", "the release's name leads the folder of --output-dir"},
    {"render-subchart-notes", "the notes of subcharts, too"},
    {"replace", "use the name of a release that was uninstalled"},
    {"repo", "the address of the chart's repository"},
    {"repository-cache", "the folder of cached indexes"},
    {"repository-config", "the file of repositories"},
    {"reset-then-reuse-values",
     "the chart's values, then those of the last revision, then the given ones"},
    {"reset-values", "forget the values of the last revision"},
    {"reuse-values", "keep the values of the last revision"},
    {"reverse", "in reverse order"},
    {"revision", "the revision to look at"},
    {"selector", "those whose labels fit"},
    {"set", "a value: a.b=c,d[0]=e"},
    {"set-file", "a value from a file: a=path"},
    {"set-json", "a value in JSON: a={\"b\":1}"},
    {"set-literal", "a text as it is: a=b,c"},
    {"set-string", "a value that stays a text"},
    {"short", "the least"},
    {"show-desc", "the description of the last change"},
    {"show-only", "these templates only"},
    {"show-resources", "the objects as they are in the cluster"},
    {"show-secrets", "show the values of secrets"},
    {"sign", "sign the packed chart"},
    {"skip-crds", "without custom resource definitions"},
    {"skip-refresh", "use cached indexes as they are"},
    {"skip-schema-validation", "do not check values against schemas"},
    {"skip-tests", "without tests"},
    {"starter", "a chart to start from, by name or path"},
    {"strict", "fail on warnings"},
    {"superseded", "superseded ones"},
    {"take-ownership", "take over objects of other owners"},
    {"template", "a Go template of the output"},
    {"time-format", "times in this Go layout"},
    {"timeout", "how long to wait: 5m0s"},
    {"unified", "how many lines stand around a difference"},
    {"uninstalled", "uninstalled ones whose history was kept"},
    {"uninstalling", "those being uninstalled"},
    {"untar", "unpack it"},
    {"untardir", "where to unpack to"},
    {"url", "the address of the repository"},
    {"username", "the user's name"},
    {"validate", "check objects against the cluster"},
    {"values", "a YAML file of values"},
    {"verify", "verify the chart's signature"},
    {"version", "the version, or a range of versions"},
    {"versions", "all versions"},
    {"wait", "wait until everything is ready"},
    {"wait-for-jobs", "and until jobs are done"},
    {"with-subcharts", "lint the charts inside, too"},
};

static const char *flag_text(const char *name)
{
    size_t low = 0, high = ARRAY_LEN(flag_texts);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, flag_texts[middle].name);
        if (order == 0)
            return flag_texts[middle].text;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return "";
}

/* --- flags --- */
static int by_name(const void *x, const void *y)
{
    return strcmp((*(const struct helm_flag *const *)x)->name,
                  (*(const struct helm_flag *const *)y)->name);
}

static size_t sorted(struct chart_ctx *cx, const struct helm_flag *table,
                     const struct helm_flag *extra, const struct helm_flag ***ret)
{
    size_t n = 0;
    while (table && table[n].name)
        n++;
    const struct helm_flag **all = arena_alloc(cx->arena, (n + 2) * sizeof(*all));
    for (size_t i = 0; i < n; i++)
        all[i] = &table[i];
    if (extra)
        all[n++] = extra;
    if (n)
        qsort(all, n, sizeof(*all), by_name);
    *ret = all;
    return n;
}

static struct str flag_left(struct chart_ctx *cx, const struct helm_flag *f)
{
    static const char *const types[] = {[HELM_SWITCH] = "",
                                        [HELM_TEXT] = " string",
                                        [HELM_INT] = " int",
                                        [HELM_LIST] = " stringArray",
                                        [HELM_COMMAS] = " strings"};
    if (f->letter)
        return arena_printf(cx->arena, "  -%c, --%s%s", f->letter, f->name, types[f->kind]);
    return arena_printf(cx->arena, "      --%s%s", f->name, types[f->kind]);
}

static void put_table(struct chart_ctx *cx, struct str path, const struct helm_flag *table,
                      const struct helm_flag *extra, struct buf *out)
{
    const struct helm_flag **all;
    size_t n = sorted(cx, table, extra, &all), width = 0;
    for (size_t i = 0; i < n; i++) {
        size_t left = flag_left(cx, all[i]).n;
        width = left > width ? left : width;
    }
    for (size_t i = 0; i < n; i++) {
        struct str left = flag_left(cx, all[i]);
        if (all[i] == extra)
            buf_printf(out, "%-*s   help for %.*s\n", (int)width, left.p, STR_ARG(path));
        else
            buf_printf(out, "%-*s   %s\n", (int)width, left.p, flag_text(all[i]->name));
    }
}

void helm_put_help(struct chart_ctx *cx, struct str path, const struct helm_flag *own,
                   const struct helm_flag *common, struct buf *out)
{
    static const struct helm_flag help = {"help", 'h', HELM_SWITCH, NULL, NULL};
    const struct helm_usage *u = helm_usage_find(path);
    struct str last = path, head;
    while (str_cut(last, ' ', &head, &last))
        continue;
    last = head.n && !last.n ? head : last;
    if (u)
        buf_printf(out, "\n%s\n\n", u->text);
    buf_printf(out, "Usage:\n  helm %.*s%s%s [flags]\n\nFlags:\n", STR_ARG(path),
               u && *u->words ? " " : "", u ? u->words : "");
    put_table(cx, last, own, &help, out);
    if (common) {
        buf_puts(out, "\nGlobal Flags:\n");
        put_table(cx, path, common, NULL, out);
    }
}

void helm_put_flags(struct chart_ctx *cx, struct str prefix, const struct helm_flag *own,
                    const struct helm_flag *common, struct buf *out)
{
    const struct helm_flag *tables[] = {own, common};
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        const struct helm_flag **all;
        size_t n = sorted(cx, tables[t], NULL, &all);
        for (size_t i = 0; i < n; i++) {
            struct str name = arena_printf(cx->arena, "--%s", all[i]->name);
            if (str_starts(name, prefix))
                buf_printf(out, "%.*s\t%s\n", STR_ARG(name), flag_text(all[i]->name));
        }
    }
}

void helm_put_commands(struct str path, struct buf *out)
{
    for (const struct helm_usage *u = helm_usages; u->path; u++) {
        struct str name = str_of(u->path);
        if (path.n && (!str_starts(name, path) || name.n <= path.n || name.p[path.n] != ' '))
            continue;
        if (path.n)
            name = str_from(name, path.n + 1);
        if (str_find_char(name, ' ') < 0)
            buf_printf(out, "%.*s\t%s\n", STR_ARG(name), u->text);
    }
}
