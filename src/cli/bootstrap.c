#include "cli/bootstrap.h"

static const struct resource service_cidrs = {"networking.k8s.io", "v1", "servicecidrs", false};

/* Creates the object that the text describes unless it is there. */
static int ensure(struct client *c, const struct resource *r, const char *ns, struct buf *text,
                  struct err *err)
{
    struct doc d;
    doc_init(&d);
    val *object;
    int failed = doc_parse_json(&d, buf_str(text), &object, err);
    if (!failed && client_create(c, r, ns, object, &d, NULL, err))
        failed = err->code != 409;
    if (failed)
        err_prefix(err, "bootstrap %s", r->name);
    doc_done(&d);
    buf_clear(text);
    return failed ? -1 : 0;
}

static int ensure_kubernetes(struct client *c, const struct bootstrap_config *config,
                             struct buf *text, struct err *err)
{
    buf_printf(text,
               "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"kubernetes\","
               "\"labels\":{\"component\":\"apiserver\","
               "\"provider\":\"kubernetes\"}},\"spec\":{\"clusterIP\":\"%s\",\"ports\":[{\"name\":"
               "\"https\",\"port\":443,\"targetPort\":%d}]}}",
               config->ranges->service_ip, config->port);
    return ensure(c, &RES_SERVICES, "default", text, err);
}

static int ensure_dns(struct client *c, const struct bootstrap_config *config, struct buf *text,
                      struct err *err)
{
    buf_printf(text,
               "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"kube-dns\","
               "\"labels\":{\"k8s-app\":\"kube-dns\","
               "\"kubernetes.io/cluster-service\":\"true\",\"kubernetes.io/"
               "name\":\"CoreDNS\"}},\"spec\":{\"clusterIP\":\"%s\",\"ports\":["
               "{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"},{\"name\":\"dns-tcp\",\"port\":"
               "53,\"protocol\":\"TCP\"}]}}",
               config->ranges->dns_ip);
    return ensure(c, &RES_SERVICES, "kube-system", text, err);
}

int bootstrap(struct client *c, const struct bootstrap_config *config, struct err *err)
{
    struct buf text = {0};
    buf_printf(&text,
               "{\"apiVersion\":\"networking.k8s.io/"
               "v1\",\"kind\":\"ServiceCIDR\",\"metadata\":{\"name\":\"kubernetes\"},\"spec\":{"
               "\"cidrs\":[\"%s\"]}}",
               config->ranges->service_cidr);
    int failed = ensure(c, &service_cidrs, NULL, &text, err) ||
                 ensure_kubernetes(c, config, &text, err) || ensure_dns(c, config, &text, err);
    buf_done(&text);
    return failed ? -1 : 0;
}
