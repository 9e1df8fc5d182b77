// Package operator runs an operator made with controller-runtime against tutti, through a restart of the server.
// TUTTI names the binary (default ../../../build/tutti).
package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const finalizer = "operator.example.com/books"

// --- the server ---

type tutti struct {
	t    *testing.T
	dir  string
	port int
	up   *exec.Cmd
}

func startTutti(t *testing.T) *tutti {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &tutti{t: t, dir: t.TempDir(), port: listener.Addr().(*net.TCPAddr).Port}
	listener.Close()
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *tutti) start() {
	binary := os.Getenv("TUTTI")
	if binary == "" {
		binary, _ = filepath.Abs("../../../build/tutti")
	}
	s.up = exec.Command(binary, "up", "--no-agent", "--data-dir", s.dir, "--listen", fmt.Sprintf("127.0.0.1:%d", s.port),
		"--pod-cidr", "10.244.0.0/16", "--service-cidr", "10.96.0.0/16")
	if err := s.up.Start(); err != nil {
		s.t.Fatal(err)
	}
	await(s.t, "tutti is ready", func() bool {
		config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.dir, "admin.kubeconfig"))
		if err != nil {
			return false
		}
		c, err := client.New(config, client.Options{})
		return err == nil && c.Get(context.Background(), client.ObjectKey{Name: "default"}, &corev1.Namespace{}) == nil
	})
}

func (s *tutti) stop() {
	s.up.Process.Signal(syscall.SIGTERM)
	s.up.Wait()
}

func (s *tutti) config() *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.dir, "admin.kubeconfig"))
	if err != nil {
		s.t.Fatal(err)
	}
	config.QPS, config.Burst = -1, -1
	return config
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain: ", what)
		}
	}
}

// --- the operator ---

type shopkeeper struct {
	client.Client
	scheme *runtime.Scheme
}

func (k *shopkeeper) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	shop := &Shop{}
	if err := k.Get(ctx, request.NamespacedName, shop); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !shop.DeletionTimestamp.IsZero() {
		if controllerutil.RemoveFinalizer(shop, finalizer) {
			return ctrl.Result{}, k.Update(ctx, shop)
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(shop, finalizer) {
		return ctrl.Result{}, k.Update(ctx, shop)
	}
	books := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: shop.Name + "-books", Namespace: shop.Namespace}}
	_, err := controllerutil.CreateOrUpdate(ctx, k.Client, books, func() error {
		books.Data = map[string]string{"goods": shop.Spec.Goods, "counters": fmt.Sprint(shop.Spec.Counters)}
		return controllerutil.SetControllerReference(shop, books, k.scheme)
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	before := shop.DeepCopyObject().(*Shop)
	shop.Status.ObservedGeneration = shop.Generation
	meta.SetStatusCondition(&shop.Status.Conditions, metav1.Condition{
		Type: "Open", Status: metav1.ConditionTrue, Reason: "Stocked", ObservedGeneration: shop.Generation})
	return ctrl.Result{}, k.Status().Patch(ctx, shop, client.MergeFrom(before))
}

func operate(t *testing.T, config *rest.Config, scheme *runtime.Scheme) client.Client {
	ctrl.SetLogger(logr.Discard())
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: "0"},
		LeaderElection: true, LeaderElectionID: "shopkeeper", LeaderElectionNamespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	keeper := &shopkeeper{manager.GetClient(), scheme}
	if err := ctrl.NewControllerManagedBy(manager).For(&Shop{}).Owns(&corev1.ConfigMap{}).Complete(keeper); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- manager.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil && !strings.Contains(err.Error(), "leader election lost") {
			t.Error("the manager: ", err)
		}
	})
	return manager.GetClient()
}

// --- the test ---

func open(c client.Reader, name string) bool {
	shop, books := &Shop{}, &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: "default", Name: name}
	if c.Get(context.Background(), key, shop) != nil {
		return false
	}
	key.Name += "-books"
	return c.Get(context.Background(), key, books) == nil && shop.Status.ObservedGeneration == shop.Generation &&
		meta.IsStatusConditionTrue(shop.Status.Conditions, "Open") && books.Data["goods"] == shop.Spec.Goods &&
		books.Data["counters"] == fmt.Sprint(shop.Spec.Counters)
}

func newShop(name, goods string) *Shop {
	return &Shop{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Spec: ShopSpec{Goods: goods}}
}

// An operator's whole life: its definition, objects with defaults, rules and status, what they own, their end, and the
// server's restart in the middle of it all.
func TestOperator(t *testing.T) {
	ctx := context.Background()
	s := startTutti(t)
	scheme := runtime.NewScheme()
	clientgoscheme.AddToScheme(scheme)
	apiextensionsv1.AddToScheme(scheme)
	shopScheme(scheme)
	direct, err := client.New(s.config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := json.Unmarshal([]byte(shopDefinition), definition); err != nil {
		t.Fatal(err)
	}
	if err := direct.Create(ctx, definition); err != nil {
		t.Fatal("the definition: ", err)
	}
	cached := operate(t, s.config(), scheme)

	const shops = 20
	for i := range shops {
		if err := direct.Create(ctx, newShop(fmt.Sprintf("shop-%d", i), "tea")); err != nil {
			t.Fatal(err)
		}
	}
	all := func(reader client.Reader) func() bool {
		return func() bool {
			for i := range shops {
				if !open(reader, fmt.Sprintf("shop-%d", i)) {
					return false
				}
			}
			return true
		}
	}
	await(t, "all shops are open", all(direct))
	await(t, "the cache knows it", all(cached))
	if err := direct.Create(ctx, newShop("rogue", "forbidden fruit")); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "not in this town") {
		t.Fatal("a rule: ", err)
	}

	s.stop()
	s.start()
	for i := range shops {
		shop := newShop(fmt.Sprintf("shop-%d", i), "")
		patch := client.RawPatch(client.Merge.Type(), []byte(`{"spec":{"goods":"coffee","counters":3}}`))
		if err := direct.Patch(ctx, shop, patch); err != nil {
			t.Fatal("after the restart: ", err)
		}
	}
	await(t, "the operator goes on after the restart", all(direct))

	books := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "shop-0-books", Namespace: "default"}}
	if err := direct.Delete(ctx, books); err != nil {
		t.Fatal(err)
	}
	await(t, "what was taken away is made again", all(direct))
	if err := direct.DeleteAllOf(ctx, &Shop{}, client.InNamespace("default")); err != nil {
		t.Fatal(err)
	}
	await(t, "shops end, and what they own", func() bool {
		list, owned := &ShopList{}, &corev1.ConfigMapList{}
		if direct.List(ctx, list, client.InNamespace("default")) != nil || len(list.Items) > 0 ||
			direct.List(ctx, owned, client.InNamespace("default")) != nil {
			return false
		}
		for _, item := range owned.Items {
			if strings.HasSuffix(item.Name, "-books") {
				return false
			}
		}
		return true
	})
	if err := direct.Delete(ctx, definition); err != nil {
		t.Fatal(err)
	}
	await(t, "the definition goes", func() bool {
		return apierrors.IsNotFound(direct.Get(ctx, client.ObjectKeyFromObject(definition), definition))
	})
}
