package linear

import (
	"fmt"
	"sync"
	"testing"
)

// everywhere sends n requests, one after the other to each server but all servers at once, and counts the answers by code.
func (c *cluster) everywhere(n int, method, path string, body func(server, i int) any) map[int]int {
	codes := map[int]int{}
	var lock sync.Mutex
	var working sync.WaitGroup
	for server := range c.urls {
		working.Add(1)
		go func() {
			defer working.Done()
			for i := 0; i < n; i++ {
				code, _, _ := c.do(server, method, path, "application/json", body(server, i))
				lock.Lock()
				codes[code]++
				lock.Unlock()
			}
		}()
	}
	working.Wait()
	return codes
}

func (c *cluster) must(want, server int, method, path string, body any) map[string]any {
	c.t.Helper()
	code, answer, err := c.do(server, method, path, "application/json", body)
	if err != nil || code != want {
		c.t.Fatalf("%s %s was answered with %d %v %v", method, path, code, answer["message"], err)
	}
	return answer
}

func named(kind, name string, more map[string]any) map[string]any {
	object := map[string]any{"kind": kind, "metadata": map[string]any{"name": name}}
	for key, value := range more {
		object[key] = value
	}
	return object
}

// What one server allows the others know of.
func TestRulesOnSharedStore(t *testing.T) {
	needEtcd(t)
	c := newCluster(t, 3, 1)
	const core = "/api/v1/namespaces"
	t.Run("names and addresses are given once", func(t *testing.T) {
		codes := c.everywhere(20, "POST", core+"/default/services", func(server, i int) any {
			return named("Service", fmt.Sprintf("s%d-%d", server, i), map[string]any{"spec": map[string]any{
				"type": "NodePort", "ports": []any{map[string]any{"port": 80}}}})
		})
		if codes[201] != 60 {
			t.Fatalf("not all were made: %v", codes)
		}
		used := map[any]bool{}
		for _, item := range c.must(200, 1, "GET", core+"/default/services", nil)["items"].([]any) {
			spec := item.(map[string]any)["spec"].(map[string]any)
			port := spec["ports"].([]any)[0].(map[string]any)["nodePort"]
			if used[spec["clusterIP"]] || port != nil && used[port] {
				t.Errorf("%v or %v was given twice", spec["clusterIP"], port)
			}
			used[spec["clusterIP"]], used[port] = true, true
		}
		codes = c.everywhere(20, "POST", core+"/default/services", func(server, i int) any {
			return named("Service", fmt.Sprintf("same-%d", i), map[string]any{"spec": map[string]any{
				"clusterIP": c.must(200, 0, "GET", core+"/default/services/s0-0", nil)["spec"].(map[string]any)["clusterIP"],
				"ports":     []any{map[string]any{"port": 80}}}})
		})
		if codes[422] != 60 {
			t.Errorf("an address that is taken: %v", codes)
		}
		codes = c.everywhere(30, "POST", core+"/default/secrets", func(server, i int) any {
			return named("Secret", fmt.Sprintf("n%d", i), nil)
		})
		if codes[201] != 30 || codes[409] != 60 {
			t.Errorf("each name once: %v", codes)
		}
	})
	t.Run("a quota holds", func(t *testing.T) {
		c.must(201, 0, "POST", core, named("Namespace", "small", nil))
		c.must(201, 0, "POST", core+"/small/resourcequotas", named("ResourceQuota", "q", map[string]any{"spec": map[string]any{
			"hard": map[string]any{"count/secrets": "7"}}}))
		eventually(t, func() bool { // its status is a controller's or the first check's
			code, _, _ := c.do(2, "GET", core+"/small/resourcequotas/q", "", nil)
			return code == 200
		})
		codes := c.everywhere(10, "POST", core+"/small/secrets", func(server, i int) any {
			return named("Secret", fmt.Sprintf("s%d-%d", server, i), nil)
		})
		if codes[201] != 7 || codes[403] != 23 {
			t.Errorf("seven are allowed: %v", codes)
		}
	})
	t.Run("a definition is served by all", func(t *testing.T) {
		c.must(201, 0, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", named("CustomResourceDefinition", "things.tutti.dev", map[string]any{
			"spec": map[string]any{"group": "tutti.dev", "scope": "Namespaced", "names": map[string]any{"plural": "things", "singular": "thing", "kind": "Thing"},
				"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{
					"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}))
		for server := range c.urls {
			eventually(t, func() bool {
				code, _, _ := c.do(server, "GET", "/apis/tutti.dev/v1/namespaces/default/things", "", nil)
				return code == 200
			})
		}
		c.must(201, 1, "POST", "/apis/tutti.dev/v1/namespaces/default/things", named("Thing", "one", map[string]any{"apiVersion": "tutti.dev/v1"}))
		c.must(200, 2, "GET", "/apis/tutti.dev/v1/namespaces/default/things/one", nil)
	})
	t.Run("a namespace that goes takes nothing new", func(t *testing.T) {
		for i := 0; i < 5; i++ {
			name := fmt.Sprintf("going-%d", i)
			c.must(201, 0, "POST", core, named("Namespace", name, nil))
			c.must(201, 1, "POST", core+"/"+name+"/secrets", named("Secret", "before", nil))
			c.must(200, 2, "DELETE", core+"/"+name, nil)
			code, answer, _ := c.do(1, "POST", core+"/"+name+"/secrets", "application/json", named("Secret", "after", nil))
			if code != 403 && code != 404 {
				t.Errorf("answered with %d %v", code, answer["message"])
			}
		}
	})
}
