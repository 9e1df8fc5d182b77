package helm

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A chart that uses every field of a record, with a name that a terminal shows wider than it is long.
const full = `-- full/Chart.yaml --
apiVersion: v2
name: full
version: 1.2.3
appVersion: "2"
description: <all> & more
home: https://example.com
keywords: [a, b]
maintainers:
- {name: Ada, email: ada@example.com}
annotations: {b: "2", a: "1"}
dependencies:
- {name: sub, version: 0.1.0, repository: "", condition: sub.enabled, tags: [front]}
-- full/charts/sub/Chart.yaml --
apiVersion: v2
name: sub
version: 0.1.0
-- full/charts/sub/values.yaml --
inner: {deep: [1, 2.5, null]}
-- full/values.yaml --
count: 3
big: 12345678901234567890
small: 1e-7
text: "ünï <b>"
empty: {}
sub: {enabled: true}
-- full/values.schema.json --
{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}
-- full/templates/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  count: {{ .Values.count | quote }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-upgrade, post-install,Test
    helm.sh/hook-weight: "-5"
    helm.sh/hook-delete-policy: Hook-Failed,something,before-hook-creation
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}
stringData:
  word: {{ .Values.word | default "none" | quote }}
-- full/templates/NOTES.txt --
  Thanks for {{ .Release.Name }} <3

-- broken/Chart.yaml --
apiVersion: v1
name: broken
version: 0.0.1
-- broken/templates/bad.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: Not_A_Name
`

// What real helm leaves behind before both read it.
var written = []string{
	"install web CHARTS/full --set x.y=1,word=first --labels team=red --description first",
	"upgrade web CHARTS/full --set count=4,t=a\\,b --description 漢字",
	"rollback web 1",
	"install other CHARTS/full -f CHARTS/full/values.yaml",
	"install gone CHARTS/full",
	"uninstall gone --keep-history",
	"install broken CHARTS/broken",
}

var reads = []string{
	"list", "ls -a", "list -a -o json", "list -a -o yaml", "list --failed", "list --superseded", "list --uninstalled --deployed",
	"list --pending", "list --uninstalling -o json", "list --uninstalling -o yaml", "list -r", "list -m 1", "list -m 2 --offset 1",
	"list --offset 99", "list -m 0", "list -f ^o", "list -f zzz --no-headers", "list -f [", "list -l team=red",
	"list -a -l version!=1", "list -l ,,", "list -q", "list -q -o json", "list -q -o yaml", "list --time-format 2006-01-02T15:04:05.000-07:00",
	"list --no-headers", "list x", "list -m x", "list -o xml", "list --bogus",
	"status web", "status web -o json", "status web -o yaml", "status web --show-desc", "status web --revision 1",
	"status web --revision 9", "status broken -o json", "status gone", "status nope", "status NOPE", "status", "status a b",
	"status other --show-resources -o yaml", "status broken --show-resources", "status web --revision x",
	"history web", "history web -o json", "history web -o yaml", "history web --max 1", "history web --max 0 -o json", "hist gone",
	"history nope", "history NOPE", "history",
	"get all web", "get all web --revision 2", "get all web --template {{.Release.Name}}:{{.Release.Info.Status}}:{{len(.Release.Hooks)}}",
	"get all web --template {{range(.Release.Hooks)}}{{.Name}},{{.Weight}},{{.LastRun.Phase}},{{.Events}}{{end}}",
	"get all web --template {{.Release.Nope}}", "get all web --template {{",
	"get values web", "get values web -o json", "get values web -o yaml", "get values web --all", "get values web -a -o json",
	"get values web --revision 2", "get values gone", "get values gone -o json", "get values gone -o yaml",
	"get manifest web", "get hooks web", "get notes web", "get notes broken", "get metadata web", "get metadata web -o json",
	"get metadata web -o yaml", "get metadata broken", "get metadata nope", "get all", "get values a b", "get hooks web -o json",
}

// call answers what a tool prints and how it ends, as it is.
func (r *run) call(tool byte, args ...string) string {
	c := exec.Command(shared.helm, args...)
	if tool == 't' {
		c = exec.Command(fromEnv("HELM_TUTTI", tutti()), append([]string{"helm"}, args...)...)
	}
	c.Env = append(os.Environ(), "KUBECONFIG="+shared.kubeconfig(), "TZ=Asia/Kolkata", "HOME="+shared.dir)
	var out, errors bytes.Buffer
	c.Stdout, c.Stderr = &out, &errors
	c.Run()
	return out.String() + "[" + c.ProcessState.String() + "]\n" + errors.String()
}

func (r *run) write(lines []string) {
	for _, line := range lines {
		r.step('h', line)
	}
}

// Both read the same records, so that not even times may differ.
func TestReading(t *testing.T) {
	t.Parallel()
	r := (&scenario{charts: full}).begin(t)
	defer r.end()
	r.write(written)
	for _, line := range reads {
		args := append(strings.Fields(line), "-n", r.namespace)
		if text := difference(r.call('h', args...), r.call('t', args...)); text != "" {
			t.Errorf("%s: %s", line, text)
		}
	}
}

// expect runs tutti, and wants each text in what it prints.
func (r *run) expect(code string, line string, texts ...string) {
	r.t.Helper()
	line = strings.ReplaceAll(strings.ReplaceAll(line, "NS", r.namespace), "CHARTS", r.folder)
	got := r.call('t', strings.Fields(line)...)
	for _, text := range append(texts, "[exit status "+code+"]\n") {
		if text = strings.ReplaceAll(text, "NS", r.namespace); !strings.Contains(got, text) {
			r.t.Errorf("%s: no %q in:\n%s", line, text, got)
		}
	}
	if strings.Contains(got, "first") && !strings.Contains(line, "--show-secrets") {
		r.t.Errorf("%s: shows a secret:\n%s", line, got)
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	r := (&scenario{charts: full}).begin(t)
	defer r.end()
	r.write([]string{"install web CHARTS/full --set word=first"})
	r.expect("0", "drift web -n NS", "web: no drift in 2 objects\n")
	r.prepare(`patch configmaps web {"data":{"count":"9","more":"is fine"}}`)
	secret := []byte(`{"data":{"word":"c2Vjb25k"}}`)
	if _, err := shared.client.CoreV1().Secrets(r.namespace).Patch(context.Background(), "web", types.MergePatchType, secret, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	r.expect("2", "drift web -n NS", "NS, web, ConfigMap has drifted:\n  data.count: wanted \"3\", live \"9\"\n",
		"NS, web, Secret has drifted:\n  data.word: wanted \"REDACTED # (5 bytes)\", live \"REDACTED # (6 bytes)\"\n", "web: 2 of 2 objects drifted\n")
	r.expect("2", "drift web -n NS -o json", `"path":"data.count","wanted":"3","live":"9"`)
	r.expect("2", "drift web -n NS --show-secrets", `wanted "Zmlyc3Q=", live "c2Vjb25k"`)
	r.prepare("delete configmaps web")
	r.expect("2", "drift web -n NS", "NS, web, ConfigMap is missing\n")
	r.expect("1", "drift nope -n NS", "Error: release: not found\n")
	r.expect("1", "drift", "requires 1 argument")
}

func TestDiff(t *testing.T) {
	t.Parallel()
	r := (&scenario{charts: full}).begin(t)
	defer r.end()
	r.write([]string{"install web CHARTS/full --set word=first", "upgrade web CHARTS/full --set word=second,count=4"})
	changed := []string{"--- web revision 1\n+++ web revision 2\n", "NS, web, ConfigMap has changed:\n@@ -3 +3 @@\n-  count: \"3\"\n+  count: \"4\"\n",
		"-  word: '-------- # (5 bytes)'\n+  word: '++++++++ # (6 bytes)'\n"}
	r.expect("0", "diff revision web 1 2 -n NS -U0", changed...)
	r.expect("2", "diff revision web 1 -n NS -U0 --detailed-exitcode", changed...)
	r.expect("0", "diff rollback web 1 -n NS -U0 --show-secrets", "-  count: \"4\"\n+  count: \"3\"\n", "-  word: second\n+  word: first\n")
	r.expect("2", "diff upgrade web CHARTS/full -n NS --detailed-exitcode --set word=second,count=5 -U1", "data:\n", "-  count: \"4\"\n+  count: \"5\"\n")
	r.expect("0", "diff upgrade web CHARTS/full -n NS --detailed-exitcode --set word=second,count=4")
	r.expect("0", "diff upgrade new CHARTS/full -n NS --install", "NS, new, ConfigMap has been added:\n")
	r.expect("1", "diff upgrade new CHARTS/full -n NS", "Error: release: not found\n")
	r.expect("1", "diff revision web x -n NS", "\"x\" is no revision\n")
}

// Two contexts of one kubeconfig: the same server, other namespaces.
func TestContexts(t *testing.T) {
	t.Parallel()
	staging, production := (&scenario{charts: full}).begin(t), (&scenario{charts: full}).begin(t)
	defer staging.end()
	defer production.end()
	staging.write([]string{"install web CHARTS/full --set count=4,dbPassword=first"})
	production.write([]string{"install web CHARTS/full --set count=3,dbPassword=second"})
	config, err := os.ReadFile(shared.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	text := string(config)
	at := strings.Index(text, "contexts:")
	entry := func(name, namespace string) string {
		return "\n- name: " + name + "\n  context: {cluster: tutti, user: kubernetes-admin, namespace: " + namespace + "}"
	}
	text = text[:at] + "contexts:" + entry("staging", staging.namespace) + entry("production", production.namespace) + text[at+len("contexts:"):]
	path := filepath.Join(staging.folder, "config")
	if err := os.WriteFile(path, []byte(text), 0600); err != nil {
		t.Fatal(err)
	}
	flags := " --kubeconfig " + path + " --context staging --against-context production"
	staging.expect("0", "diff release web -U0"+flags, "--- web revision 1 in context staging\n+++ web revision 1 in context production\nvalues:\n@@ -1,2 +1,2 @@\n-count: 4\n-dbPassword: '-------- # (5 bytes)'\n"+
		"+count: 3\n+dbPassword: '++++++++ # (6 bytes)'\n", "-  count: \"4\"\n+  count: \"3\"\n")
	staging.expect("2", "drift web"+flags, "data.count: wanted \"4\", live \"3\"\n")
	staging.expect("0", "drift web --context production --kubeconfig "+path, "no drift")
}
