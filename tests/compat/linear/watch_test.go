package linear

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// event is what a watcher saw of one write.
type event struct {
	Type    string
	key     string
	value   string
	version int64
}

// watcher follows all ConfigMaps of a namespace from one revision on. When its connection breaks it goes on where it was, on any server.
type watcher struct {
	c      *cluster
	path   string
	lock   sync.Mutex
	events []event
	at     int64
	breaks int
	err    error
}

type watchLine struct {
	Type   string
	Object struct {
		Metadata struct {
			Name            string
			ResourceVersion string
		}
		Data    map[string]string
		Message string
		Code    int
	}
}

func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.follow(ctx, rand.Intn(len(w.c.urls)))
		w.breaks++
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *watcher) follow(ctx context.Context, server int) {
	// No connection lives for ever: from time to time it is left for another server.
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond+time.Duration(rand.Intn(3000))*time.Millisecond)
	defer cancel()
	query := fmt.Sprintf("?watch=1&allowWatchBookmarks=true&resourceVersion=%d", w.at)
	request, err := http.NewRequestWithContext(ctx, "GET", w.c.urls[server]+w.path+query, nil)
	if err != nil {
		w.fail(err)
		return
	}
	response, err := w.c.client.Do(request)
	if err != nil {
		return
	}
	defer response.Body.Close()
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return
	}
	if response.StatusCode != http.StatusOK {
		w.fail(fmt.Errorf("a watch from %d was answered with %d", w.at, response.StatusCode))
		return
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line watchLine
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			return // cut by a kill
		}
		if !w.take(&line) {
			return
		}
	}
}

func (w *watcher) take(line *watchLine) bool {
	if line.Type == "ERROR" {
		if line.Object.Code < 500 {
			w.fail(fmt.Errorf("a watch from %d ended with %d %s", w.at, line.Object.Code, line.Object.Message))
		}
		return false
	}
	version, _ := strconv.ParseInt(line.Object.Metadata.ResourceVersion, 10, 64)
	w.lock.Lock()
	defer w.lock.Unlock()
	if line.Type == "BOOKMARK" {
		if version < w.at {
			w.err = fmt.Errorf("a bookmark %d behind %d", version, w.at)
		}
		w.at = version
		return true
	}
	if version <= w.at {
		w.err = fmt.Errorf("%s of %s with version %d behind %d", line.Type, line.Object.Metadata.Name, version, w.at)
		return false
	}
	w.at = version
	if line.Object.Metadata.Name == rootCA {
		return true
	}
	w.events = append(w.events, event{line.Type, line.Object.Metadata.Name, line.Object.Data["v"], version})
	return true
}

func (w *watcher) fail(err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *watcher) reached() int64 {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.err != nil {
		return 1 << 62
	}
	return w.at
}

// contents is all objects as one list showed them.
type contents struct {
	version int64
	objects map[string]event
}

// replay makes from the events what the objects were at a version.
func replay(events []event, version int64) map[string]event {
	objects := map[string]event{}
	for _, e := range events {
		if e.version > version {
			break
		}
		if e.Type == "DELETED" {
			delete(objects, e.key)
		} else {
			objects[e.key] = e
		}
	}
	return objects
}
