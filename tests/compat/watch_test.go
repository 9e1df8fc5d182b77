package compat

import (
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func next(t *testing.T, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case event, open := <-w.ResultChan():
		if !open {
			t.Fatal("the watch ended")
		}
		return event
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 s")
	}
	return watch.Event{}
}

// A label selector sees an object that leaves it as deleted, one that enters as added.
func TestSelectorTransitions(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	cms := client.CoreV1().ConfigMaps(ns)
	list, _ := cms.List(ctx, metav1.ListOptions{})
	w, err := cms.Watch(ctx, metav1.ListOptions{LabelSelector: "app=x", ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	cms.Create(ctx, newConfigMap("cm"), metav1.CreateOptions{})
	label := func(value string) {
		if _, err := cms.Patch(ctx, "cm", types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"labels":{"app":%q}}}`, value), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	label("y")
	label("z")
	label("x")
	cms.Delete(ctx, "cm", metav1.DeleteOptions{})
	for _, want := range []watch.EventType{watch.Added, watch.Deleted, watch.Added, watch.Deleted} {
		if got := next(t, w); got.Type != want {
			t.Fatalf("%s, wanted %s: %v", got.Type, want, got.Object)
		}
	}
}

func TestWatchFromThePast(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	cms := client.CoreV1().ConfigMaps(ns)
	first, err := cms.Create(ctx, newConfigMap("cm-0"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 50; i++ {
		cms.Create(ctx, newConfigMap(fmt.Sprintf("cm-%d", i)), metav1.CreateOptions{})
	}
	w, err := cms.Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion, LabelSelector: "app=x"}) // not the namespace's own
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for i := 1; i < 50; i++ {
		event := next(t, w)
		if cm := event.Object.(*corev1.ConfigMap); event.Type != watch.Added || cm.Name != fmt.Sprintf("cm-%d", i) {
			t.Fatalf("event %d: %s %s", i, event.Type, cm.Name)
		}
	}
}

func TestSendInitialEvents(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	cms := client.CoreV1().ConfigMaps(ns)
	for i := range 5 {
		cms.Create(ctx, newConfigMap(fmt.Sprintf("cm-%d", i)), metav1.CreateOptions{})
	}
	yes := true
	w, err := cms.Watch(ctx, metav1.ListOptions{SendInitialEvents: &yes, AllowWatchBookmarks: true, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, LabelSelector: "app=x"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for range 5 {
		if event := next(t, w); event.Type != watch.Added {
			t.Fatalf("%s", event.Type)
		}
	}
	event := next(t, w)
	if meta, _ := event.Object.(metav1.Object); event.Type != watch.Bookmark || meta.GetAnnotations()[metav1.InitialEventsAnnotationKey] != "true" {
		t.Fatalf("after the initial events: %s %v", event.Type, event.Object)
	}
}

// mirror counts what an informer believes.
type mirror struct {
	sync.Mutex
	objects map[string]string
}

func (m *mirror) set(obj any) {
	cm := obj.(*corev1.ConfigMap)
	m.Lock()
	m.objects[cm.Name] = cm.Data["a"]
	m.Unlock()
}

func (m *mirror) drop(obj any) {
	key, _ := cache.DeletionHandlingMetaNamespaceKeyFunc(obj)
	_, name, _ := cache.SplitMetaNamespaceKey(key)
	m.Lock()
	delete(m.objects, name)
	m.Unlock()
}

func (m *mirror) is(want map[string]string) bool {
	m.Lock()
	defer m.Unlock()
	if len(m.objects) != len(want) {
		return false
	}
	for name, value := range want {
		if m.objects[name] != value {
			return false
		}
	}
	return true
}

// An informer keeps its picture right while the server is killed and comes back.
func TestInformerSurvivesKill(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	cms := client.CoreV1().ConfigMaps(ns)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(ns),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "app=x" }))
	informer := factory.Core().V1().ConfigMaps().Informer()
	m := &mirror{objects: map[string]string{}}
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: m.set, UpdateFunc: func(_, obj any) { m.set(obj) }, DeleteFunc: m.drop})
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
	want := map[string]string{}
	for i := range 60 {
		name := fmt.Sprintf("cm-%02d", i)
		if _, err := cms.Create(ctx, newConfigMap(name), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		want[name] = "1"
		if i%3 == 1 {
			if _, err := cms.Patch(ctx, name, types.MergePatchType, []byte(`{"data":{"a":"2"}}`), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			want[name] = "2"
		}
		if i%3 == 2 {
			if err := cms.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			delete(want, name)
		}
		if i%20 == 10 {
			shared.killServer(t)
			if err := shared.waitReady(30 * time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the informer agrees", func() bool { return m.is(want) })
}

func TestLeaderElection(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	leaders := make(chan string, 10)
	run := func(id string, c kubernetes.Interface) (cancel func()) {
		lock, err := resourcelock.New(resourcelock.LeasesResourceLock, ns, "lock", c.CoreV1(), c.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: id})
		if err != nil {
			t.Fatal(err)
		}
		electorCtx, stop := contextWithCancel()
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(contextType) { leaders <- id }, OnStoppedLeading: func() {}}})
		if err != nil {
			t.Fatal(err)
		}
		go elector.Run(electorCtx)
		return stop
	}
	stopOne := run("one", client)
	if got := <-leaders; got != "one" {
		t.Fatal(got)
	}
	defer run("two", client)()
	stopOne()
	select {
	case got := <-leaders:
		if got != "two" {
			t.Fatal(got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody took over")
	}
}
