#include "control/pack.h"

#include <zstd.h>

/* How the bytes behind the first one are to be read. */
enum { PLAIN = 'p', ZSTD = 'z' };

enum {
    LEVEL = 1,
    HASH_LOG = 11, /* small tables: texts are short, and each one fills them anew */
    TEXT_MAX = 32 << 20,
};

/* What is most common stands last: near matches are the cheapest. */
static const char dictionary[] =
    "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"spec\":{\"ports\":[{\"name\":\"http\","
    "\"protocol\":\"TCP\",\"port\":80,\"targetPort\":8080}],\"selector\":{\"app\":\"\"},"
    "\"clusterIP\":\"10.96.\",\"clusterIPs\":[\"10.96.\"],\"type\":\"ClusterIP\","
    "\"sessionAffinity\":\"None\",\"ipFamilies\":[\"IPv4\"],\"ipFamilyPolicy\":\"SingleStack\","
    "\"internalTrafficPolicy\":\"Cluster\"},\"status\":{\"loadBalancer\":{}}}"
    "{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"addressType\":\"IPv4\","
    "\"endpoints\":[{\"addresses\":[\"10.\"],\"conditions\":{\"ready\":true,\"serving\":true,"
    "\"terminating\":false},\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"\",\"name\":\"\"}}]}"
    "{\"kind\":\"ReplicaSet\",\"apiVersion\":\"apps/v1\",\"metadata\":{\"annotations\":{"
    "\"deployment.kubernetes.io/desired-replicas\":\"1\","
    "\"deployment.kubernetes.io/max-replicas\":\"2\",\"deployment.kubernetes.io/revision\":\"1\"},"
    "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}]},"
    "\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{\"app\":\"\"}},\"template\":{"
    "\"metadata\":{\"labels\":{\"app\":\"\"}},\"spec\":{}},\"strategy\":{\"type\":"
    "\"RollingUpdate\",\"rollingUpdate\":{\"maxUnavailable\":\"25%\",\"maxSurge\":\"25%\"}}},"
    "\"status\":{\"observedGeneration\":1,\"replicas\":1,\"fullyLabeledReplicas\":1,"
    "\"updatedReplicas\":1,\"readyReplicas\":1,\"availableReplicas\":1}}"
    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"\",\"generateName\":\"\","
    "\"namespace\":\"default\",\"uid\":\"\",\"resourceVersion\":\"\",\"labels\":{\"app\":\"\","
    "\"pod-template-hash\":\"\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":"
    "\"ReplicaSet\",\"name\":\"\",\"uid\":\"\",\"controller\":true,\"blockOwnerDeletion\":true}],"
    "\"creationTimestamp\":\"20\",\"generation\":1},\"spec\":{\"containers\":[{\"name\":\"\","
    "\"image\":\"\",\"command\":[\"\"],\"args\":[\"\"],\"ports\":[{\"name\":\"http\","
    "\"containerPort\":8080,\"protocol\":\"TCP\"}],\"env\":[{\"name\":\"\",\"value\":\"\"}],"
    "\"resources\":{\"limits\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"},\"requests\":{\"cpu\":"
    "\"100m\",\"memory\":\"128Mi\"}},\"livenessProbe\":{\"httpGet\":{\"path\":\"/healthz\","
    "\"port\":8080,\"scheme\":\"HTTP\"},\"timeoutSeconds\":1,\"periodSeconds\":10,"
    "\"successThreshold\":1,\"failureThreshold\":3},\"readinessProbe\":{},\"resources\":{},"
    "\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\","
    "\"imagePullPolicy\":\"IfNotPresent\",\"volumeMounts\":[{\"name\":\"kube-api-access-\","
    "\"readOnly\":true,\"mountPath\":\"/var/run/secrets/kubernetes.io/serviceaccount\"}]}],"
    "\"dnsPolicy\":\"ClusterFirst\",\"restartPolicy\":\"Always\",\"schedulerName\":"
    "\"default-scheduler\",\"securityContext\":{},\"terminationGracePeriodSeconds\":30,"
    "\"enableServiceLinks\":true,\"serviceAccountName\":\"default\",\"serviceAccount\":"
    "\"default\",\"volumes\":[{\"name\":\"kube-api-access-\",\"projected\":{\"sources\":[{"
    "\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},{\"configMap\":{"
    "\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}},{"
    "\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\","
    "\"fieldPath\":\"metadata.namespace\"}}]}}],\"defaultMode\":420}}],\"priority\":0,"
    "\"preemptionPolicy\":\"PreemptLowerPriority\",\"tolerations\":[{\"key\":"
    "\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
    "\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":"
    "\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"nodeName\":\"\"},"
    "\"status\":{\"phase\":\"Running\",\"qosClass\":\"BestEffort\",\"conditions\":[{\"type\":"
    "\"PodReadyToStartContainers\",\"status\":\"True\",\"lastTransitionTime\":\"20\","
    "\"lastProbeTime\":null},{\"type\":\"Initialized\",\"status\":\"True\","
    "\"lastTransitionTime\":\"20\",\"lastProbeTime\":null},{\"type\":\"Ready\",\"status\":"
    "\"True\",\"lastTransitionTime\":\"20\",\"lastProbeTime\":null},{\"type\":"
    "\"ContainersReady\",\"status\":\"True\",\"lastTransitionTime\":\"20\",\"lastProbeTime\":null"
    "},{\"type\":\"PodScheduled\",\"status\":\"True\",\"lastTransitionTime\":\"20\","
    "\"lastProbeTime\":null}],\"containerStatuses\":[{\"name\":\"\",\"state\":{\"running\":{"
    "\"startedAt\":\"20\"}},\"ready\":true,\"restartCount\":0,\"image\":\"\",\"imageID\":\"\","
    "\"containerID\":\"\",\"started\":true,\"lastState\":{}}],\"hostIP\":\"10.\",\"hostIPs\":[{"
    "\"ip\":\"10.\"}],\"podIP\":\"10.\",\"podIPs\":[{\"ip\":\"10.\"}],\"startTime\":\"20\"}}";

static struct bytes *pack_plain(struct str text)
{
    char *p;
    struct bytes *b = bytes_new_uninit(text.n + 1, &p);
    p[0] = PLAIN;
    if (text.n)
        memcpy(p + 1, text.p, text.n);
    return b;
}

static size_t compress(ZSTD_CCtx *c, struct str text, char *p, size_t room)
{
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL);
    ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, HASH_LOG);
    ZSTD_CCtx_refPrefix(c, dictionary, sizeof(dictionary) - 1);
    return ZSTD_compress2(c, p, room, text.p, text.n);
}

struct bytes *pack(struct str text)
{
    CLEANUP(buf_done) struct buf b = {0};
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t room = ZSTD_compressBound(text.n);
    char *p = buf_reserve(&b, room + 1);
    p[0] = ZSTD;
    size_t n = c ? compress(c, text, p + 1, room) : room;
    ZSTD_freeCCtx(c);
    return ZSTD_isError(n) || n >= text.n ? pack_plain(text) : bytes_new((struct str){p, n + 1});
}

bool unpack(struct str packed, struct buf *b)
{
    if (!packed.n || (packed.p[0] != PLAIN && packed.p[0] != ZSTD))
        return false;
    struct str body = str_from(packed, 1);
    if (packed.p[0] == PLAIN) {
        buf_put(b, body);
        return true;
    }
    unsigned long long n = ZSTD_getFrameContentSize(body.p, body.n);
    if (n > TEXT_MAX) /* the codes for "unknown" and "damaged" are larger still */
        return false;
    ZSTD_DCtx *c = ZSTD_createDCtx();
    char *p = buf_reserve(b, (size_t)n);
    size_t got = 0;
    if (c) {
        ZSTD_DCtx_refPrefix(c, dictionary, sizeof(dictionary) - 1);
        got = ZSTD_decompressDCtx(c, p, (size_t)n, body.p, body.n);
    }
    ZSTD_freeDCtx(c);
    if (ZSTD_isError(got) || got != n)
        return false;
    b->n += got;
    b->p[b->n] = '\0';
    return true;
}
