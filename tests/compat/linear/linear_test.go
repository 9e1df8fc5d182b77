package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	clients  = 5
	keys     = 4
	watchers = 4
	path     = "/api/v1/namespaces/default/configmaps"
	rootCA   = "kube-root-ca.crt" // a controller's
	merge    = "application/merge-patch+json"
)

func seconds() time.Duration {
	if n, err := strconv.Atoi(os.Getenv("LINEAR_SECONDS")); err == nil {
		return time.Duration(n) * time.Second
	}
	return 8 * time.Second
}

// history is what all clients did.
type history struct {
	c      *cluster
	began  time.Time
	ids    atomic.Int64
	lock   sync.Mutex
	ops    []porcupine.Operation
	lists  []contents
	newest map[string]int64 // a version of each key that somebody has seen
}

func (h *history) now() int64 { return time.Since(h.began).Nanoseconds() }

func version(object map[string]any) int64 {
	meta, _ := object["metadata"].(map[string]any)
	text, _ := meta["resourceVersion"].(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func value(object map[string]any) string {
	data, _ := object["data"].(map[string]any)
	text, _ := data["v"].(string)
	return text
}

func configMap(in input) map[string]any {
	meta := map[string]any{"name": in.key}
	if in.kind == opUpdate {
		meta["resourceVersion"] = strconv.FormatInt(in.expect, 10)
	}
	return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": map[string]string{"v": in.value}}
}

// ask carries an operation out on a server.
func (h *history) ask(server int, in input) output {
	object := path + "/" + in.key
	var code int
	var answer map[string]any
	var err error
	switch in.kind {
	case opCreate:
		code, answer, err = h.c.do(server, "POST", path, "application/json", configMap(in))
	case opGet:
		code, answer, err = h.c.do(server, "GET", object, "", nil)
	case opUpdate, opReplace:
		code, answer, err = h.c.do(server, "PUT", object, "application/json", configMap(in))
	case opPatch:
		code, answer, err = h.c.do(server, "PATCH", object, merge, map[string]any{"data": map[string]string{"v": in.value}})
	case opDelete:
		code, answer, err = h.c.do(server, "DELETE", object, "", nil)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return output{outcome: unsent}
	case err != nil || code >= 500 || code == 429:
		return output{}
	case code == 404:
		return output{outcome: missing}
	case code == 409:
		return output{outcome: refused}
	case code > 201:
		h.c.t.Errorf("%s of %s was answered with %d: %v", kindNames[in.kind], in.key, code, answer)
		return output{}
	case in.kind == opDelete:
		return output{outcome: done}
	}
	return output{done, value(answer), version(answer)}
}

func (h *history) list(server int) {
	code, answer, err := h.c.do(server, "GET", path, "", nil)
	if err != nil || code != 200 {
		return
	}
	all := contents{version(answer), map[string]event{}}
	for _, item := range answer["items"].([]any) {
		object := item.(map[string]any)
		name := object["metadata"].(map[string]any)["name"].(string)
		if name != rootCA {
			all.objects[name] = event{"", name, value(object), version(object)}
		}
	}
	h.lock.Lock()
	h.lists = append(h.lists, all)
	h.lock.Unlock()
}

func (h *history) next(random *rand.Rand) input {
	in := input{kind: kind(random.Intn(int(opDelete) + 1)), key: fmt.Sprintf("k%d", random.Intn(keys))}
	if in.kind == opDelete && random.Intn(2) == 0 {
		in.kind = opGet
	}
	if in.kind != opGet && in.kind != opDelete {
		in.value = strconv.FormatInt(h.ids.Add(1), 10)
	}
	h.lock.Lock()
	in.expect = h.newest[in.key]
	h.lock.Unlock()
	if in.kind == opUpdate && in.expect == 0 {
		in.kind = opReplace
	}
	return in
}

// client does one thing after the other, each on any server. Who got no answer goes on under another name, as porcupine has it.
func (h *history) client(id int, ctx context.Context) {
	random := rand.New(rand.NewSource(time.Now().UnixNano() + int64(id)))
	for ctx.Err() == nil {
		server := random.Intn(len(h.c.urls))
		if random.Intn(8) == 0 {
			h.list(server)
			continue
		}
		in := h.next(random)
		op := porcupine.Operation{ClientId: id, Input: in, Call: h.now()}
		out := h.ask(server, in)
		op.Return, op.Output = h.now(), out
		h.lock.Lock()
		if out.version > h.newest[in.key] {
			h.newest[in.key] = out.version
		}
		if out.outcome != unsent && (in.kind != opGet || out.outcome != unknown) {
			h.ops = append(h.ops, op)
		}
		h.lock.Unlock()
		if out.outcome == unknown || out.outcome == unsent {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// nemesis kills one process after the other, never two members at a time.
func nemesis(ctx context.Context, t *testing.T, victims []*process) int {
	kills := 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(300+rand.Intn(700)) * time.Millisecond):
			victim := victims[kills%len(victims)]
			victim.kill()
			time.Sleep(time.Duration(rand.Intn(600)) * time.Millisecond)
			victim.start(t)
			kills++
		}
	}
	return kills
}

func run(t *testing.T, c *cluster, victims []*process) {
	_, answer, err := c.do(0, "GET", path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &history{c: c, began: time.Now(), newest: map[string]int64{}}
	start := version(answer)
	ctx, stop := context.WithTimeout(context.Background(), seconds())
	defer stop()
	watching, stopWatching := context.WithCancel(context.Background())
	defer stopWatching()
	var all []*watcher
	var working, looking sync.WaitGroup
	for i := 0; i < watchers; i++ {
		w := &watcher{c: c, path: path, at: start}
		all = append(all, w)
		looking.Add(1)
		go func() { defer looking.Done(); w.run(watching) }()
	}
	for i := 0; i < clients; i++ {
		working.Add(1)
		go func() { defer working.Done(); h.client(i, ctx) }()
	}
	kills := nemesis(ctx, t, victims)
	working.Wait()
	for i := range c.servers {
		eventually(t, func() bool { return c.ready(i) })
	}
	last := h.end()
	eventually(t, func() bool {
		for _, w := range all {
			if w.reached() < last {
				return false
			}
		}
		return true
	})
	stopWatching()
	looking.Wait()
	h.judge(t, all, kills)
}

// end makes a last write, behind all others, and answers its version.
func (h *history) end() int64 {
	in := input{kind: opCreate, key: "end", value: "end"}
	var out output
	eventually(h.c.t, func() bool { out = h.ask(0, in); return out.outcome == done })
	h.ops = append(h.ops, porcupine.Operation{Input: in, Output: out, Call: h.now(), Return: h.now()})
	return out.version
}

func (h *history) judge(t *testing.T, all []*watcher, kills int) {
	events := all[0].events
	for i, w := range all {
		if w.err != nil {
			t.Errorf("watcher %d: %v", i, w.err)
		}
		for j := 0; j < len(events) || j < len(w.events); j++ {
			if j >= len(events) || j >= len(w.events) || events[j] != w.events[j] {
				t.Fatalf("watchers 0 and %d differ at event %d: %v, %v", i, j, events[j:min(j+2, len(events))], w.events[j:min(j+2, len(w.events))])
			}
		}
	}
	lost := h.settle(t, events)
	for _, l := range h.lists {
		if want := replay(events, l.version); !same(want, l.objects) {
			t.Errorf("the list at %d was %v, and the events make %v", l.version, l.objects, want)
		}
	}
	result, info := porcupine.CheckOperationsVerbose(model, h.ops, 60*time.Second)
	if result != porcupine.Ok {
		file := "/var/tmp/tutti-linear.html"
		porcupine.VisualizePath(model, info, file)
		t.Errorf("the history is not linearizable (%v), see %s", result, file)
	}
	breaks := 0
	for _, w := range all {
		breaks += w.breaks
	}
	t.Logf("%d operations (%d without an answer), %d lists, %d events to each of %d watchers over %d connections, %d kills", len(h.ops), lost, len(h.lists),
		len(events), len(all), breaks, kills)
}

func same(want, have map[string]event) bool {
	if len(want) != len(have) {
		return false
	}
	for key, w := range want {
		if h := have[key]; h.value != w.value || h.version != w.version {
			return false
		}
	}
	return true
}

// settle holds the events against the writes: each was seen that was acknowledged, none that was refused. By them it also finds out what became of the
// writes without an answer, which may have happened any time until the end.
func (h *history) settle(t *testing.T, events []event) (lost int) {
	seen, deletions := map[string]event{}, 0
	for _, e := range events {
		if e.Type == "DELETED" {
			deletions++
		} else if _, twice := seen[e.value]; twice {
			t.Errorf("two events brought the value %s", e.value)
		} else {
			seen[e.value] = e
		}
	}
	end := h.now()
	var kept []porcupine.Operation
	deleted, maybe := 0, 0
	for i, op := range h.ops {
		in, out := op.Input.(input), op.Output.(output)
		e, shown := seen[in.value]
		if out.outcome == unknown {
			lost++
			op.ClientId, op.Return = clients+i, end
		}
		switch {
		case in.kind == opGet:
		case in.kind == opDelete && out.outcome == done:
			deleted++
		case in.kind == opDelete && out.outcome == unknown:
			maybe++
		case in.kind == opDelete:
		case out.outcome == unknown && !shown:
			continue
		case out.outcome == unknown:
			op.Output = output{done, in.value, e.version}
		case out.outcome == done && (!shown || e.key != in.key || e.version != out.version):
			t.Errorf("%s of %s was acknowledged with version %d and seen as %v", kindNames[in.kind], in.key, out.version, e)
		case out.outcome != done && shown:
			t.Errorf("%s of %s was refused and seen as %v", kindNames[in.kind], in.key, e)
		}
		kept = append(kept, op)
	}
	if deletions < deleted || deletions > deleted+maybe {
		t.Errorf("%d deletions were seen, %d acknowledged, %d without an answer", deletions, deleted, maybe)
	}
	h.ops = kept
	return lost
}

func TestOneServer(t *testing.T) {
	c := newCluster(t, 1, 0)
	run(t, c, c.servers)
}

func needEtcd(t *testing.T) {
	if etcd() == "" {
		t.Skip("no etcd on the PATH or in build/peers")
	}
}

func TestServersOnEtcd(t *testing.T) {
	needEtcd(t)
	c := newCluster(t, 3, 3)
	run(t, c, c.servers)
}

func TestMembersOfEtcd(t *testing.T) {
	needEtcd(t)
	c := newCluster(t, 2, 3)
	run(t, c, c.members)
}

func TestServersAndMembers(t *testing.T) {
	needEtcd(t)
	c := newCluster(t, 3, 3)
	var victims []*process
	for i := range c.members {
		victims = append(victims, c.members[i], c.servers[i])
	}
	run(t, c, victims)
}
