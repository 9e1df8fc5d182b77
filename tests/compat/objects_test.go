package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var ctx = context.Background()

func newNamespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func newConfigMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "x"}}, Data: map[string]string{"a": "1"}}
}

func newDeployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "c", Image: "registry.local/pause:1",
					Env:       []corev1.EnvVar{{Name: "A", Value: "b"}},
					Ports:     []corev1.ContainerPort{{ContainerPort: 80}},
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}},
					ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
						HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(80)}}},
				}}},
			},
		},
	}
}

// Request bodies in both encodings mean the same.
func TestBodies(t *testing.T) {
	for _, media := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		t.Run(media[strings.LastIndexByte(media, '/')+1:], func(t *testing.T) {
			client := clientset(t, media)
			ns := namespace(t, client)
			cm, err := client.CoreV1().ConfigMaps(ns).Create(ctx, newConfigMap("cm"), metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if cm.UID == "" || cm.ResourceVersion == "" || cm.CreationTimestamp.IsZero() || cm.Data["a"] != "1" {
				t.Errorf("created: %+v", cm)
			}
			cm.BinaryData = map[string][]byte{"b": {0, 1, 255}}
			updated, err := client.CoreV1().ConfigMaps(ns).Update(ctx, cm, metav1.UpdateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if string(updated.BinaryData["b"]) != "\x00\x01\xff" || updated.ResourceVersion == cm.ResourceVersion {
				t.Errorf("updated: %+v", updated)
			}
			if _, err = client.CoreV1().ConfigMaps(ns).Update(ctx, cm, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
				t.Errorf("stale update: %v", err)
			}
			deployment, err := client.AppsV1().Deployments(ns).Create(ctx, newDeployment("web", 2), metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			spec := deployment.Spec
			probe := spec.Template.Spec.Containers[0].ReadinessProbe
			if *spec.RevisionHistoryLimit != 10 || *spec.ProgressDeadlineSeconds != 600 || spec.Strategy.RollingUpdate.MaxSurge.StrVal != "25%" ||
				probe.PeriodSeconds != 10 || probe.HTTPGet.Scheme != "HTTP" || probe.HTTPGet.Port.IntVal != 80 ||
				spec.Template.Spec.RestartPolicy != "Always" || spec.Template.Spec.Containers[0].Resources.Requests.Cpu().MilliValue() != 100 {
				t.Errorf("defaults: %+v", spec)
			}
			service, err := client.CoreV1().Services(ns).Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s"},
				Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}, Selector: map[string]string{"app": "web"}}}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if service.Spec.ClusterIP == "" || service.Spec.Ports[0].TargetPort.IntVal != 80 || service.Spec.Type != "ClusterIP" {
				t.Errorf("service: %+v", service.Spec)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	cms := client.CoreV1().ConfigMaps(ns)
	if _, err := cms.Get(ctx, "nope", metav1.GetOptions{}); !apierrors.IsNotFound(err) || err.Error() != `configmaps "nope" not found` {
		t.Errorf("get: %v", err)
	}
	cms.Create(ctx, newConfigMap("twice"), metav1.CreateOptions{})
	if _, err := cms.Create(ctx, newConfigMap("twice"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) || err.Error() != `configmaps "twice" already exists` {
		t.Errorf("create: %v", err)
	}
	if _, err := cms.Create(ctx, newConfigMap("Bad_Name"), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("name: %v", err)
	}
	if _, err := client.CoreV1().ConfigMaps("no-such-namespace").Create(ctx, newConfigMap("a"), metav1.CreateOptions{}); !apierrors.IsNotFound(err) ||
		err.Error() != `namespaces "no-such-namespace" not found` {
		t.Errorf("namespace: %v", err)
	}
	bad := newDeployment("bad", 1)
	bad.Spec.Template.Labels = map[string]string{"other": "x"}
	_, err := client.AppsV1().Deployments(ns).Create(ctx, bad, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "spec.template.metadata.labels: Invalid value") ||
		!strings.Contains(err.Error(), "`selector` does not match template `labels`") {
		t.Errorf("selector: %v", err)
	}
	raw := client.CoreV1().RESTClient().Post().AbsPath("/api/v1/namespaces/"+ns+"/configmaps").Param("fieldValidation", "Strict").
		Body([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"strict"},"dat":{},"data":{"a":"1","a":"2"}}`)).SetHeader("Content-Type", "application/json").Do(ctx).Error()
	if !apierrors.IsBadRequest(raw) || !strings.Contains(raw.Error(), `unknown field "dat"`) || !strings.Contains(raw.Error(), `duplicate field "data.a"`) {
		t.Errorf("strict: %v", raw)
	}
}

func TestPatches(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	deployments := client.AppsV1().Deployments(ns)
	if _, err := deployments.Create(ctx, newDeployment("web", 1), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	patch := func(kind types.PatchType, body string) *appsv1.Deployment {
		d, err := deployments.Patch(ctx, "web", kind, []byte(body), metav1.PatchOptions{})
		if err != nil {
			t.Fatalf("%s %s: %v", kind, body, err)
		}
		return d
	}
	d := patch(types.StrategicMergePatchType, `{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"new:1"}]}}}}`)
	if c := d.Spec.Template.Spec.Containers; len(c) != 1 || c[0].Image != "new:1" || len(c[0].Env) != 1 {
		t.Errorf("strategic: %+v", c)
	}
	if d.Generation != 2 {
		t.Errorf("generation %d", d.Generation)
	}
	d = patch(types.MergePatchType, `{"metadata":{"labels":{"app":null,"x":"y"}},"spec":{"replicas":3}}`)
	if d.Labels["x"] != "y" || d.Labels["app"] != "" || *d.Spec.Replicas != 3 {
		t.Errorf("merge: %+v", d)
	}
	d = patch(types.JSONPatchType, `[{"op":"test","path":"/spec/replicas","value":3},{"op":"replace","path":"/spec/replicas","value":4}]`)
	if *d.Spec.Replicas != 4 {
		t.Errorf("json: %d", *d.Spec.Replicas)
	}
	_, err := deployments.Patch(ctx, "web", types.JSONPatchType, []byte(`[{"op":"test","path":"/spec/replicas","value":9}]`), metav1.PatchOptions{})
	if !apierrors.IsInvalid(err) {
		t.Errorf("failed test: %v", err)
	}
	dry, err := deployments.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"replicas":9}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil || *dry.Spec.Replicas != 9 {
		t.Errorf("dry run: %v", err)
	}
	if d, _ = deployments.Get(ctx, "web", metav1.GetOptions{}); *d.Spec.Replicas != 4 {
		t.Errorf("dry run was kept: %d", *d.Spec.Replicas)
	}
	scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
	if err != nil || scale.Spec.Replicas != 4 || scale.Status.Selector != "app=web" {
		t.Errorf("scale: %+v %v", scale, err)
	}
	scale.Spec.Replicas = 2
	if _, err = deployments.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{}); err != nil {
		t.Error(err)
	}
}

// All pages of a list show one revision, whatever is written meanwhile.
func TestPages(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	cms := client.CoreV1().ConfigMaps(ns)
	for i := range 25 {
		if _, err := cms.Create(ctx, newConfigMap(fmt.Sprintf("p-%02d", i)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	page, err := cms.List(ctx, metav1.ListOptions{Limit: 10, LabelSelector: "app=x"})
	if err != nil || len(page.Items) != 10 || page.Continue == "" {
		t.Fatalf("first page: %d items, %v", len(page.Items), err)
	}
	revision, seen := page.ResourceVersion, len(page.Items)
	cms.Delete(ctx, "p-15", metav1.DeleteOptions{})
	cms.Create(ctx, newConfigMap("p-16x"), metav1.CreateOptions{})
	for page.Continue != "" {
		if page, err = cms.List(ctx, metav1.ListOptions{Limit: 10, LabelSelector: "app=x", Continue: page.Continue}); err != nil {
			t.Fatal(err)
		}
		if page.ResourceVersion != revision {
			t.Errorf("revision moved from %s to %s", revision, page.ResourceVersion)
		}
		seen += len(page.Items)
	}
	if seen != 25 {
		t.Errorf("saw %d of 25", seen)
	}
	if _, err = cms.List(ctx, metav1.ListOptions{ResourceVersion: "999999999"}); err == nil {
		t.Error("a list in the future succeeded")
	}
}

func TestTableForm(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	if _, err := client.AppsV1().Deployments(ns).Create(ctx, newDeployment("web", 1), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	body, err := client.AppsV1().RESTClient().Get().Namespace(ns).Resource("deployments").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json").Do(ctx).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(body, &table); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, column := range table.ColumnDefinitions {
		names = append(names, column.Name)
	}
	if table.Kind != "Table" || strings.Join(names, " ") != "Name Ready Up-to-date Available Age Containers Images Selector" || len(table.Rows) != 1 || table.Rows[0].Cells[0] != "web" {
		t.Errorf("%s %v %v", table.Kind, names, table.Rows)
	}
}
