package linear

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A backup beside a server that writes has all that was acknowledged before it began, with the versions that clients know.
func TestBackupWhileWriting(t *testing.T) {
	c := newCluster(t, 1, 0)
	var lock sync.Mutex
	acknowledged := map[string]int64{}
	stop := make(chan struct{})
	var working sync.WaitGroup
	for writer := 0; writer < 4; writer++ {
		working.Add(1)
		go func() {
			defer working.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("w%d-%d", writer, i)
				code, answer, _ := c.do(0, "POST", path, "application/json", configMap(input{key: name, value: name}))
				if code == 201 {
					lock.Lock()
					acknowledged[name] = version(answer)
					lock.Unlock()
				}
			}
		}()
	}
	time.Sleep(time.Second)
	lock.Lock()
	before := map[string]int64{}
	for name, version := range acknowledged {
		before[name] = version
	}
	lock.Unlock()
	command := func(args ...string) {
		if out, err := exec.Command(tutti(), args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
	}
	file, from, to := filepath.Join(c.dir, "backup"), filepath.Join(c.dir, "s0"), filepath.Join(c.dir, "s1")
	command("store", "backup", "--from", "lmdb="+from, file)
	close(stop)
	working.Wait()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	command("store", "restore", "--to", "lmdb="+to, file)
	c.servers[0].kill()
	c.addServer("")
	there := map[string]int64{}
	for _, item := range c.must(200, 1, "GET", path, nil)["items"].([]any) {
		object := item.(map[string]any)
		there[object["metadata"].(map[string]any)["name"].(string)] = version(object)
	}
	for name, version := range before {
		if there[name] != version {
			t.Errorf("%s was acknowledged with version %d and is restored with %d", name, version, there[name])
		}
	}
	t.Logf("%d of %d objects were acknowledged before, %d are restored", len(before), len(acknowledged), len(there)-1)
}
