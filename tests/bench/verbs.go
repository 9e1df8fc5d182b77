package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const namespace = "bench"

var ctx = context.Background()

// sample is what one step on one server gave.
type sample struct {
	rate     float64
	p50, p99 time.Duration
	errors   int
	first    error
}

// run calls do(0 … n-1) from c goroutines.
func run(c, n int, do func(i int) error) sample {
	took := make([]time.Duration, n)
	errs := make([]error, n)
	var next atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for range c {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				from := time.Now()
				errs[i] = do(i)
				took[i] = time.Since(from)
			}
		}()
	}
	group.Wait()
	s := sample{rate: float64(n) / time.Since(start).Seconds()}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	s.p50, s.p99 = took[n/2], took[n*99/100]
	for _, err := range errs {
		if err != nil {
			s.errors++
			s.first = err
		}
	}
	return s
}

func configMap(name string) any {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "bench"}},
		Data: map[string]string{"key": "a value of the length that configuration has", "other": "1"}}
}

func pod(name string) any {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "bench"}}, Spec: podSpec("none")}
}

func podSpec(scheduler string) corev1.PodSpec {
	return corev1.PodSpec{SchedulerName: scheduler, Containers: []corev1.Container{{Name: "c", Image: "registry.local/pause:1",
		Env: []corev1.EnvVar{{Name: "A", Value: "1"}}, Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}}
}

type step struct {
	verb string
	n    int
	do   func(rc rest.Interface, i int) error
}

func steps(kind string, c, n int, make func(string) any) []step {
	name := func(i int) string { return fmt.Sprintf("b%d-%06d", c, i) }
	bodies := [][]byte{}
	for i := range n {
		body, _ := json.Marshal(make(name(i)))
		bodies = append(bodies, body)
	}
	read := func(r *rest.Request) error { _, err := r.DoRaw(ctx); return err }
	return []step{
		{"create", n, func(rc rest.Interface, i int) error {
			return read(rc.Post().Namespace(namespace).Resource(kind).SetHeader("Content-Type", "application/json").Body(bodies[i]))
		}},
		{"get", n, func(rc rest.Interface, i int) error {
			return read(rc.Get().Namespace(namespace).Resource(kind).Name(name(i)))
		}},
		{"list limit=50", max(n/4, 10), func(rc rest.Interface, i int) error {
			return read(rc.Get().Namespace(namespace).Resource(kind).Param("limit", "50"))
		}},
		{"list all rv=0", max(n/40, 10), func(rc rest.Interface, i int) error {
			return read(rc.Get().Namespace(namespace).Resource(kind).Param("resourceVersion", "0"))
		}},
		{"merge patch", n, func(rc rest.Interface, i int) error {
			return read(rc.Patch(types.MergePatchType).Namespace(namespace).Resource(kind).Name(name(i)).Body([]byte(`{"metadata":{"annotations":{"p":"1"}}}`)))
		}},
		{"delete", n, func(rc rest.Interface, i int) error {
			return read(rc.Delete().Namespace(namespace).Resource(kind).Name(name(i)).Param("gracePeriodSeconds", "0"))
		}},
	}
}

func ensureNamespace(client *kubernetes.Clientset) {
	client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func verbs(clients []*kubernetes.Clientset, operations int) bool {
	for _, client := range clients {
		ensureNamespace(client)
	}
	fmt.Printf("%-10s %-14s %3s  %10s %8s %8s", "kind", "verb", "c", "a req/s", "p50 ms", "p99 ms")
	if len(clients) == 2 {
		fmt.Printf("  %10s %8s %8s  %6s %6s", "b req/s", "p50 ms", "p99 ms", "ratio", "p99")
	}
	fmt.Println()
	good := true
	for _, kind := range []struct {
		name string
		make func(string) any
	}{{"configmaps", configMap}, {"pods", pod}} {
		for _, c := range []int{1, 16, 64} {
			n := operations
			if c == 1 {
				n /= 4
			}
			for _, s := range steps(kind.name, c, n, kind.make) {
				var got []sample
				for _, client := range clients {
					rc := client.CoreV1().RESTClient()
					got = append(got, run(c, s.n, func(i int) error { return s.do(rc, i) }))
				}
				fmt.Printf("%-10s %-14s %3d", kind.name, s.verb, c)
				for _, g := range got {
					fmt.Printf("  %10.1f %8.2f %8.2f", g.rate, milliseconds(g.p50), milliseconds(g.p99))
				}
				if len(got) == 2 {
					fmt.Printf("  %6.2f %6.2f", got[0].rate/got[1].rate, float64(got[0].p99)/float64(got[1].p99))
				}
				fmt.Println()
				for i, g := range got {
					if g.errors > 0 {
						fmt.Printf("  server %c: %d errors, the last: %v\n", 'a'+i, g.errors, g.first)
						good = good && i != 0
					}
				}
			}
		}
	}
	return good
}
