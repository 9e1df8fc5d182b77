package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What controllers make has random names, and does not belong to the release.
var ignored = map[string]bool{"pods": true, "events": true, "endpointslices": true, "endpoints": true, "leases": true,
	"controllerrevisions": true, "replicasets": true, "jobs": false}

// resources lists what the server has, namespaced or not; asked each time because charts bring definitions.
func resources(t *testing.T, namespaced bool) []schema.GroupVersionResource {
	lists, err := shared.discovery.ServerPreferredResources()
	if err != nil {
		t.Fatal(err)
	}
	var all []schema.GroupVersionResource
	for _, list := range lists {
		gv, _ := schema.ParseGroupVersion(list.GroupVersion)
		for _, r := range list.APIResources {
			if r.Namespaced == namespaced && !ignored[r.Name] && strings.Contains(fmt.Sprint(r.Verbs), "list") && gv.Group != "events.k8s.io" {
				all = append(all, gv.WithResource(r.Name))
			}
		}
	}
	return all
}

// normalise drops the fields in which two runs of the same program differ.
func normalise(o *unstructured.Unstructured) {
	unstructured.RemoveNestedField(o.Object, "status")
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", "deployment.kubernetes.io/revision")
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "deletionTimestamp"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	for _, field := range []string{"clusterIP", "clusterIPs", "volumeName"} {
		unstructured.RemoveNestedField(o.Object, "spec", field)
	}
	unstructured.RemoveNestedField(o.Object, "spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid")
	for _, field := range []string{"batch.kubernetes.io/controller-uid", "controller-uid"} {
		unstructured.RemoveNestedField(o.Object, "spec", "template", "metadata", "labels", field)
	}
	var kept []any
	for _, entry := range o.GetManagedFields() {
		if entry.Manager == "helm" || entry.Manager == "th" || entry.Manager == "tutti" {
			kept = append(kept, map[string]any{"manager": entry.Manager, "operation": string(entry.Operation), "fields": fmt.Sprintf("%s", entry.FieldsV1)})
		}
	}
	unstructured.RemoveNestedField(o.Object, "metadata", "managedFields")
	if kept != nil {
		o.Object["managedBy"] = kept
	}
}

// objects is everything in a namespace, and what bears its name outside, as text.
func objects(t *testing.T, namespace string) string {
	var lines []string
	add := func(r schema.GroupVersionResource, list *unstructured.UnstructuredList) {
		for i := range list.Items {
			o := &list.Items[i]
			if o.GetNamespace() == "" && !strings.Contains(o.GetName(), namespace) || o.GetName() == namespace ||
				o.GetKind() == "Secret" && strings.HasPrefix(o.GetName(), "sh.helm.") ||
				o.GetName() == "kube-root-ca.crt" || o.GetKind() == "ServiceAccount" && o.GetName() == "default" {
				continue
			}
			normalise(o)
			text, _ := json.Marshal(o.Object)
			lines = append(lines, r.Resource+" "+string(text))
		}
	}
	for _, r := range resources(t, true) {
		if list, err := shared.dynamic.Resource(r).Namespace(namespace).List(context.Background(), metav1.ListOptions{}); err == nil {
			add(r, list)
		}
	}
	for _, r := range resources(t, false) {
		if list, err := shared.dynamic.Resource(r).List(context.Background(), metav1.ListOptions{}); err == nil {
			add(r, list)
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

var times = []*regexp.Regexp{
	regexp.MustCompile(`"(first_deployed|last_deployed|deleted|started_at|completed_at)":"[^"]+"`),
	regexp.MustCompile(`(LAST DEPLOYED|Last Started|Last Completed): .*`),
	regexp.MustCompile(`(?m)(\t| )[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d \d{4}`),
	regexp.MustCompile(`UPDATED *|(DEPLOYED_AT): .*`),
	regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d+( \+0000 UTC *|Z)`),
}

func withoutTimes(text string) string {
	text = times[0].ReplaceAllString(text, `"$1":"T"`)
	text = times[1].ReplaceAllString(text, "$1: T")
	text = times[2].ReplaceAllString(text, "${1}T")
	text = times[3].ReplaceAllString(text, "UPDATED$1")
	return times[4].ReplaceAllString(text, "T")
}

// records is what Helm's own storage driver reads of a namespace's releases, as text.
func records(t *testing.T, namespace string) string {
	d := driver.NewSecrets(shared.client.CoreV1().Secrets(namespace))
	all, err := d.List(func(*release.Release) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Name < all[j].Name || all[i].Name == all[j].Name && all[i].Version < all[j].Version
	})
	var lines []string
	for _, r := range all {
		for _, h := range r.Hooks {
			if !h.LastRun.StartedAt.IsZero() && h.LastRun.CompletedAt.IsZero() && h.LastRun.Phase != release.HookPhaseRunning {
				t.Errorf("hook %s has no end", h.Name)
			}
		}
		for _, f := range append(r.Chart.Templates, r.Chart.Files...) {
			f.Data = []byte(strings.ReplaceAll(string(f.Data), namespace, "NS"))
		}
		text, _ := json.Marshal(r)
		delete(r.Labels, "modifiedAt")
		delete(r.Labels, "createdAt")
		labels, _ := json.Marshal(r.Labels)
		lines = append(lines, withoutTimes(string(text))+" "+string(labels))
	}
	return strings.Join(lines, "\n")
}
