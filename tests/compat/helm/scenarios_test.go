package helm

const simple = `-- web/Chart.yaml --
apiVersion: v2
name: web
version: 1.2.3
appVersion: "9"
-- web/values.yaml --
replicas: 1
image: nginx
extra: {}
-- web/templates/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-config
data:
  who: {{ .Release.Service }} {{ .Release.Revision }} {{ .Release.IsInstall }}
  {{- range $k, $v := .Values.extra }}
  {{ $k }}: {{ $v | quote }}
  {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: web}
  ports:
  - {name: http, port: {{ .Values.port | default 80 }}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: {{ .Values.image }}
        env:
        {{- range $k, $v := .Values.env }}
        - {name: {{ $k }}, value: {{ $v | quote }}}
        {{- end }}
-- web/templates/NOTES.txt --
{{ .Release.Name }} runs in {{ .Release.Namespace }}.
`

var scenarios = []scenario{
	{name: "life", mixed: true, charts: simple, steps: []string{
		"install web CHARTS/web",
		"status web",
		"upgrade web CHARTS/web --set replicas=2",
		"upgrade web CHARTS/web --set image=other,env.A=1,env.B=2",
		"get values web",
		"history web --output json",
		"rollback web 1",
		"rollback web",
		"list",
		"history web",
		"uninstall web --keep-history",
		"list -a",
		"history web",
		"rollback web 3",
		"uninstall web",
		"history web",
	}},
	{name: "wait", charts: simple, steps: []string{
		"install web CHARTS/web --wait --timeout 30s",
		"upgrade web CHARTS/web --set replicas=3,image=b --wait --timeout 30s",
		"rollback web --wait --timeout 30s",
		"uninstall web --wait --timeout 30s",
	}},
	{name: "formats", charts: simple, steps: []string{
		"install web CHARTS/web -o json --description hello --labels a=b,c=d",
		"upgrade web CHARTS/web -o yaml --description again --labels a=x,c=null",
		"get metadata web",
		"status web -o json",
	}},
	{name: "names", charts: simple, steps: []string{
		"install web CHARTS/web",
		"install web CHARTS/web",
		"install Web CHARTS/web",
		"install CHARTS/web",
		"install a b c",
		"install web CHARTS/web -g",
		"install CHARTS/web --name-template x-{{lower`" + "`A`" + "`}}",
		"install CHARTS/none",
		"install none CHARTS/none",
		"install",
		"upgrade web",
		"upgrade none CHARTS/web",
		"upgrade Web_ CHARTS/web",
		"rollback none",
		"rollback web x",
		"rollback web 7",
		"rollback web",
		"rollback web -1",
		"rollback",
		"uninstall none",
		"uninstall none --ignore-not-found",
		"uninstall Web",
		"uninstall web --cascade sideways",
		"uninstall",
		"test none",
		"test",
		"uninstall web none",
	}},
	{name: "dry runs", charts: simple, steps: []string{
		"install web CHARTS/web --dry-run",
		"install web CHARTS/web --dry-run=server",
		"install web CHARTS/web --dry-run=sometimes",
		"install web CHARTS/web --hide-secret",
		"install web CHARTS/web",
		"upgrade web CHARTS/web --dry-run --set replicas=4",
		"upgrade web CHARTS/web --dry-run=server --set replicas=4 --description x",
		"rollback web --dry-run",
		"uninstall web --dry-run",
	}},
	{name: "values over time", charts: simple, steps: []string{
		"install web CHARTS/web --set replicas=2,extra.a=1",
		"upgrade web CHARTS/web",
		"upgrade web CHARTS/web --set extra.b=2",
		"get values web",
		"upgrade web CHARTS/web --reuse-values --set extra.c=3",
		"get values web",
		"upgrade web CHARTS/web --reset-then-reuse-values --set extra.d=4",
		"get values web -a",
		"upgrade web CHARTS/web --reset-values",
		"get values web",
	}},
	{name: "install by upgrade", charts: simple, steps: []string{
		"upgrade -i web CHARTS/web",
		"upgrade -i web CHARTS/web --set replicas=0",
		"uninstall web --keep-history",
		"upgrade web CHARTS/web",
		"install web CHARTS/web",
		"upgrade -i web CHARTS/web",
		"uninstall web --keep-history",
		"install web CHARTS/web --replace",
		"history web",
	}},
	{name: "history's end", charts: simple, steps: []string{
		"install web CHARTS/web",
		"upgrade web CHARTS/web --history-max 2",
		"upgrade web CHARTS/web --history-max 2",
		"upgrade web CHARTS/web --history-max 2",
		"history web",
		"rollback web 1",
		"rollback web 3 --history-max 2",
		"history web",
	}},
	{name: "others' changes", mixed: true, charts: simple, steps: []string{
		"install web CHARTS/web --set env.A=1",
		`! patch deployments web {"metadata":{"annotations":{"mine":"yes"}},"spec":{"replicas":5}}`,
		"upgrade web CHARTS/web --set env.A=1,image=b",
		`! patch deployments web {"spec":{"replicas":5}}`,
		"upgrade web CHARTS/web --set env.B=1,replicas=2",
		`! delete deployments web`,
		"upgrade web CHARTS/web --set env.B=1,replicas=2",
		`! patch configmaps web-config {"data":{"who":null,"own":"x"}}`,
		"! settle",
		"upgrade web CHARTS/web --force --set port=81",
		"! settle",
		"rollback web 1 --force",
	}},
	{name: "ownership", charts: simple, steps: []string{
		"! configmap web-config",
		"install web CHARTS/web",
		"install web CHARTS/web --dry-run",
		"install web CHARTS/web --take-ownership",
		"install two CHARTS/web",
		"! configmap three-config",
		"install three CHARTS/web",
		`! patch configmaps three-config {"metadata":{"labels":{"app.kubernetes.io/managed-by":"Helm"},"annotations":{"meta.helm.sh/release-name":"three","meta.helm.sh/release-namespace":"NS"}}}`,
		"install three CHARTS/web",
	}},
	{name: "pending", mixed: true, charts: simple, steps: []string{
		"install web CHARTS/web",
		"! status web 1 pending-install",
		"install web CHARTS/web",
		"upgrade web CHARTS/web",
		"upgrade -i web CHARTS/web",
		"list -a",
		"list --pending",
		"! status web 1 deployed",
		"upgrade web CHARTS/web",
		"! status web 2 pending-upgrade",
		"upgrade web CHARTS/web",
		"rollback web",
		"history web",
		"! status web 3 pending-rollback",
		"upgrade web CHARTS/web",
		"rollback web 1",
		"history web",
		"uninstall web",
	}},
	{name: "failures", charts: simple + `-- bad/Chart.yaml --
apiVersion: v2
name: bad
version: 0.1.0
-- bad/templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: fine}
---
apiVersion: v1
kind: Service
metadata: {name: NotFine}
spec: {ports: [{port: 1}]}
-- worse/Chart.yaml --
apiVersion: v2
name: worse
version: 0.1.0
-- worse/templates/a.yaml --
apiVersion: example.com/v1
kind: Nothing
metadata: {name: fine}
---
apiVersion: v1
kind: Nowhere
metadata: {name: fine}
`, steps: []string{
		"install bad CHARTS/bad",
		"history bad",
		"install bad CHARTS/bad --replace",
		"upgrade bad CHARTS/web",
		"upgrade bad CHARTS/bad",
		"history bad",
		"rollback bad",
		"upgrade bad CHARTS/bad --atomic --timeout 5s",
		"upgrade bad CHARTS/bad --cleanup-on-fail",
		"history bad",
		"install worse CHARTS/worse",
		"install two CHARTS/bad --atomic --timeout 5s",
		"upgrade bad CHARTS/worse",
		"upgrade bad CHARTS/worse --disable-openapi-validation",
		"list -a",
	}},
	{name: "timeouts", charts: `-- never/Chart.yaml --
apiVersion: v2
name: never
version: 0.1.0
-- never/values.yaml --
claim: true
-- never/templates/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: fine}
---
{{- if .Values.claim }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: none}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: none}
{{- end }}
`, steps: []string{
		"install a CHARTS/never --wait --timeout 1s",
		"upgrade a CHARTS/never --set claim=false --wait --timeout 3s",
		"upgrade a CHARTS/never --wait --timeout 1s",
		"upgrade a CHARTS/never --atomic --timeout 1s",
		"upgrade a CHARTS/never --wait --cleanup-on-fail --timeout 1s",
		"history a",
		"install b CHARTS/never --atomic --timeout 1s",
		"list -a",
		"rollback a 1 --wait --timeout 1s",
		"history a",
	}},
	{name: "hooks", mixed: true, charts: hooks, steps: []string{
		"install h CHARTS/hooks --timeout 30s",
		"get hooks h",
		"upgrade h CHARTS/hooks --timeout 30s",
		"rollback h 1 --timeout 30s",
		"upgrade h CHARTS/hooks --no-hooks",
		"uninstall h --timeout 30s",
	}},
	{name: "failing hooks", charts: hooks, steps: []string{
		"install bad CHARTS/hooks --set fail=pre-install --timeout 30s",
		"history bad",
		"uninstall bad --no-hooks",
		"install ok CHARTS/hooks --no-hooks",
		"upgrade ok CHARTS/hooks --set fail=post-upgrade --timeout 30s",
		"upgrade ok CHARTS/hooks --set fail=pre-delete --no-hooks",
		"uninstall ok --timeout 30s",
		"list -a",
		"uninstall ok --no-hooks",
	}},
	{name: "tests", charts: hooks, steps: []string{
		"install h CHARTS/hooks --no-hooks",
		"test h --timeout 30s",
		"test h --filter name=h-one --timeout 30s",
		"test h --filter !name=h-one --timeout 30s",
		"upgrade h CHARTS/hooks --set fail=test --no-hooks",
		"test h --timeout 30s",
		"status h",
	}},
	{name: "keep", mixed: true, charts: `-- keep/Chart.yaml --
apiVersion: v2
name: keep
version: 0.1.0
-- keep/values.yaml --
all: true
-- keep/templates/a.yaml --
{{- if .Values.all }}
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: odd, annotations: {helm.sh/resource-policy: sometimes}}
---
{{- end }}
apiVersion: v1
kind: Secret
metadata: {name: secret, annotations: {helm.sh/resource-policy: " KEEP "}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone}
`, steps: []string{
		"install k CHARTS/keep",
		"upgrade k CHARTS/keep --set all=false",
		"uninstall k",
		"install k CHARTS/keep",
		"uninstall k",
	}},
	{name: "definitions", mixed: true, charts: `-- crd/Chart.yaml --
apiVersion: v2
name: crd
version: 0.1.0
-- crd/values.yaml --
size: 1
-- crd/crds/things.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.NS.example.com}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
-- crd/templates/a.yaml --
apiVersion: NS.example.com/v1
kind: Thing
metadata: {name: one}
spec:
  size: {{ .Values.size }}
  list: [1, 2, {a: b}]
  {{- with .Values.more }}
  more: {{ toYaml . | nindent 4 }}
  {{- end }}
-- crd/templates/NOTES.txt --
{{ .Capabilities.APIVersions.Has "NS.example.com/v1/Thing" }} {{ (lookup "NS.example.com/v1" "Thing" .Release.Namespace "one").spec }}
`, steps: []string{
		"install c CHARTS/crd --skip-crds",
		"install c CHARTS/crd --dry-run",
		"install c CHARTS/crd --set more.a=1,more.b=2",
		`! patch things one {"spec":{"more":{"b":5,"c":6},"size":9,"own":true}}`,
		"upgrade c CHARTS/crd --set more.a=1",
		"upgrade c CHARTS/crd --set size=2",
		`! patch things one {"spec":{"size":9,"own":true}}`,
		"rollback c 1",
		"! settle",
		"upgrade c CHARTS/crd --force",
		"install d CHARTS/crd",
		"uninstall c",
		"install d CHARTS/crd",
	}},
	{name: "lookup", charts: `-- look/Chart.yaml --
apiVersion: v2
name: look
version: 0.1.0
-- look/templates/a.yaml --
{{- $s := lookup "v1" "ConfigMap" .Release.Namespace "there" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: seen}
data:
  made: {{ dig "data" "made" "none" $s | quote }}
  count: {{ len (lookup "v1" "ConfigMap" .Release.Namespace "").items | quote }}
  missing: {{ lookup "v1" "Secret" .Release.Namespace "nope" | toJson | quote }}
  type: {{ printf "%T" (lookup "v1" "Namespace" "" "default").metadata.name }}
  port: {{ with (lookup "v1" "Service" "default" "kubernetes") }}{{ printf "%T %v" (first .spec.ports).port (first .spec.ports).port }}{{ end }}
  version: {{ .Capabilities.KubeVersion.Version }}
  has: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
{{- if .Values.bad }}{{ lookup "nope/v1" "Nope" "" "" }}{{ end }}
`, steps: []string{
		"! configmap there",
		"install l CHARTS/look",
		"upgrade l CHARTS/look --dry-run",
		"upgrade l CHARTS/look --dry-run=server",
		"get manifest l",
		"template l CHARTS/look",
		"template l CHARTS/look --dry-run=server",
		"template l CHARTS/look --validate",
		"template l CHARTS/look --validate --dry-run=server",
	}},
	{name: "odd documents", charts: `-- odd/Chart.yaml --
apiVersion: v2
name: odd
version: 0.1.0
-- odd/values.yaml --
which: list
-- odd/templates/a.yaml --
{{- if eq .Values.which "list" }}
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: l1}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: l2}}
{{- else if eq .Values.which "no version" }}
kind: ConfigMap
metadata: {name: a}
{{- else if eq .Values.which "no kind" }}
apiVersion: v1
metadata: {name: a}
{{- else if eq .Values.which "nothing" }}
a: b
{{- else if eq .Values.which "no name" }}
apiVersion: v1
kind: ConfigMap
{{- else if eq .Values.which "numeric label" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: x, labels: {a: 1}}
{{- else if eq .Values.which "unknown field" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
bogus: 1
{{- else if eq .Values.which "wrong type" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
data: {a: 1}
{{- else if eq .Values.which "twice" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
{{- else if eq .Values.which "elsewhere" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: x, namespace: NS-nowhere}
{{- else if eq .Values.which "cluster" }}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NS-role}
rules: []
{{- end }}
`, steps: []string{
		"install a CHARTS/odd",
		"upgrade a CHARTS/odd --set which=cluster",
		"uninstall a",
		"install a1 CHARTS/odd --set-json which=\"no\\u0020version\"",
		"install a2 CHARTS/odd --set-json which=\"no\\u0020kind\"",
		"install a3 CHARTS/odd --set which=nothing",
		"install a4 CHARTS/odd --set-json which=\"no\\u0020name\"",
		"install a5 CHARTS/odd --set-json which=\"numeric\\u0020label\"",
		"install a6 CHARTS/odd --set-json which=\"unknown\\u0020field\"",
		"uninstall a6",
		"install a7 CHARTS/odd --set-json which=\"wrong\\u0020type\"",
		"install a8 CHARTS/odd --set which=twice",
		"uninstall a8",
		"install a9 CHARTS/odd --set which=elsewhere",
		"install a10 CHARTS/odd --set which=other",
		"list -a",
	}},
	{name: "new namespace", charts: simple, steps: []string{
		"install web CHARTS/web --create-namespace",
		"upgrade -i two CHARTS/web --create-namespace --set port=99",
		"uninstall web two",
	}},
	{name: "notes", charts: simple + `-- web/charts/sub/Chart.yaml --
apiVersion: v2
name: sub
version: 0.1.0
-- web/charts/sub/templates/NOTES.txt --
Notes of {{ .Chart.Name }}.
-- web/charts/sub/templates/s.yaml --
apiVersion: v1
kind: Secret
metadata: {name: sub-{{ .Release.Name }}}
stringData: {a: b}
`, steps: []string{
		"install web CHARTS/web --render-subchart-notes",
		"get notes web",
		"upgrade web CHARTS/web --hide-notes",
		"get notes web",
		"upgrade web CHARTS/web --dry-run --hide-secret",
		"install two CHARTS/web --dry-run=client --hide-secret --hide-notes",
		"test web",
	}},
	{name: "post-renderer", charts: simple + `-- post --
#!/bin/sh
sed "s/image: nginx/image: ${1:-rendered}/"
-- fails --
#!/bin/sh
echo no >&2
exit 3
`, steps: []string{
		"install web CHARTS/web --post-renderer CHARTS/post",
		"upgrade web CHARTS/web --post-renderer CHARTS/post --post-renderer-args again",
		"get manifest web",
		"upgrade web CHARTS/web --post-renderer CHARTS/fails",
		"install two CHARTS/web --post-renderer CHARTS/fails",
		"upgrade web CHARTS/web --post-renderer CHARTS/none",
	}},
}

const hooks = `-- hooks/Chart.yaml --
apiVersion: v2
name: hooks
version: 0.1.0
-- hooks/values.yaml --
fail: ""
-- hooks/templates/main.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-main}
-- hooks/templates/hooks.yaml --
{{- range $i, $event := list "pre-install" "post-install" "post-upgrade" "pre-rollback" "pre-delete" }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ $.Release.Name }}-{{ $event }}
  annotations:
    helm.sh/hook: {{ $event }}
    helm.sh/hook-weight: "{{ sub 5 $i }}"
    {{- if mod $i 2 }}
    helm.sh/hook-delete-policy: hook-succeeded, before-hook-creation
    {{- end }}
    simulate.tutti.dev/outcome: {{ ternary "fail" "succeed" (eq $event $.Values.fail) }}
    simulate.tutti.dev/after: 20ms
spec:
  restartPolicy: Never
  containers: [{name: main, image: x}]
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-everywhere
  annotations:
    helm.sh/hook: pre-install,post-install,pre-upgrade
    helm.sh/hook-weight: "-5"
data: {revision: "{{ .Release.Revision }}"}
{{- range list "one" "two" }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ $.Release.Name }}-{{ . }}
  annotations:
    helm.sh/hook: test
    {{- if eq . "two" }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-failed
    {{- end }}
    simulate.tutti.dev/outcome: {{ ternary "fail" "succeed" (eq "test" $.Values.fail) }}
    simulate.tutti.dev/after: 20ms
spec:
  restartPolicy: Never
  containers: [{name: main, image: x}]
{{- end }}
`
