package compat

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

var (
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	engines     = schema.GroupVersionResource{Group: "works.example.com", Version: "v1", Resource: "engines"}
)

const engineDefinition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
"metadata":{"name":"engines.works.example.com"},"spec":{"group":"works.example.com","scope":"Namespaced",
"names":{"plural":"engines","kind":"Engine"},"versions":[{"name":"v1","served":true,"storage":true,
"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
"spec":{"type":"object","properties":{"power":{"type":"integer","minimum":1,"default":10}},
"x-kubernetes-validations":[{"rule":"self.power < 100","message":"too strong"}]},
"status":{"type":"object","properties":{"seen":{"type":"integer"}}}}}}}]}}`

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

func engine(name string, power int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "works.example.com/v1", "kind": "Engine",
		"metadata": map[string]any{"name": name}, "spec": map[string]any{"power": int64(power)}}}
}

// A definition and its first object, one right after the other, as helm installs them; an operator that reports what it
// saw in the status; the namespace's end, and the definition's.
func TestCustomResources(t *testing.T) {
	ctx := context.Background()
	config, err := clientcmd.BuildConfigFromFlags("", shared.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(config)
	typed := kubernetes.NewForConfigOrDie(config)

	if _, err := client.Resource(definitions).Create(ctx, object(t, engineDefinition), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	space := object(t, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"works"}}`)
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	if _, err := client.Resource(namespaces).Create(ctx, space, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	local := client.Resource(engines).Namespace("works")
	if _, err := local.Create(ctx, engine("first", 5), metav1.CreateOptions{}); err != nil {
		t.Fatal("an object right after its definition: ", err)
	}

	resources, err := typed.Discovery().ServerResourcesForGroupVersion("works.example.com/v1")
	if err != nil || len(resources.APIResources) != 2 {
		t.Fatal("discovery: ", resources, err)
	}
	if _, err := local.Create(ctx, engine("wrong", 0), metav1.CreateOptions{}); !apierrors.IsInvalid(err) ||
		!strings.Contains(err.Error(), "spec.power in body should be greater than or equal to 1") {
		t.Fatal("a value out of range: ", err)
	}
	if _, err := local.Create(ctx, engine("strong", 100), metav1.CreateOptions{}); !apierrors.IsInvalid(err) ||
		!strings.Contains(err.Error(), "too strong") {
		t.Fatal("a rule: ", err)
	}

	stop := operate(t, client, local)
	defer stop()
	for i := 0; i < 20; i++ {
		if _, err := local.Create(ctx, engine(fmt.Sprintf("e%d", i), 7), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the operator sees all", func() bool {
		list, err := local.List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) != 21 {
			return false
		}
		for _, item := range list.Items {
			seen, _, _ := unstructured.NestedInt64(item.Object, "status", "seen")
			if seen != item.GetGeneration() {
				return false
			}
		}
		return true
	})

	applied := engine("first", 6)
	got, err := local.Apply(ctx, "first", applied, metav1.ApplyOptions{FieldManager: "me", Force: true})
	if err != nil || got.GetGeneration() != 2 {
		t.Fatal("apply: ", got, err)
	}
	_, err = local.Patch(ctx, "first", types.StrategicMergePatchType, []byte(`{}`), metav1.PatchOptions{})
	if !apierrors.IsUnsupportedMediaType(err) {
		t.Fatal("a strategic merge patch: ", err)
	}

	if err := client.Resource(namespaces).Delete(ctx, "works", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the namespace goes with its objects", func() bool {
		_, err := client.Resource(namespaces).Get(ctx, "works", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	list, err := client.Resource(engines).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 0 {
		t.Fatal("left behind: ", list, err)
	}
	if _, err := client.Resource(engines).Namespace("default").Create(ctx, engine("last", 5), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Resource(definitions).Delete(ctx, "engines.works.example.com", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the definition goes with its objects", func() bool {
		_, err := client.Resource(definitions).Get(ctx, "engines.works.example.com", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if _, err := local.List(ctx, metav1.ListOptions{}); !apierrors.IsNotFound(err) {
		t.Fatal("a resource that is gone: ", err)
	}
}

// operate runs an informer and a work queue that writes each object's generation into its status.
func operate(t testing.TB, client dynamic.Interface, local dynamic.ResourceInterface) func() {
	stopped := make(chan struct{})
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	informer := factory.ForResource(engines).Informer()
	add := func(o any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o); err == nil {
			queue.Add(key)
		}
	}
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, o any) { add(o) }})
	factory.Start(stopped)
	if !cache.WaitForCacheSync(stopped, informer.HasSynced) {
		t.Fatal("the informer does not sync")
	}
	go func() {
		for {
			key, over := queue.Get()
			if over {
				return
			}
			if err := report(informer, local, key); err != nil {
				queue.AddRateLimited(key)
			}
			queue.Done(key)
		}
	}()
	return func() { queue.ShutDown(); close(stopped) }
}

func report(informer cache.SharedIndexInformer, local dynamic.ResourceInterface, key string) error {
	stored, found, err := informer.GetStore().GetByKey(key)
	if !found || err != nil {
		return err
	}
	o := stored.(*unstructured.Unstructured).DeepCopy()
	if seen, _, _ := unstructured.NestedInt64(o.Object, "status", "seen"); seen == o.GetGeneration() {
		return nil
	}
	unstructured.SetNestedField(o.Object, o.GetGeneration(), "status", "seen")
	_, err = local.UpdateStatus(context.Background(), o, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: ", what)
		}
	}
}
