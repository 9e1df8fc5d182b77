package helm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A scenario is charts and commands. In both the word NS stands for the namespace of the run, and CHARTS for their folder.
type scenario struct {
	name   string
	charts string // files, each behind a line "-- path --"
	steps  []string
	mixed  bool // helm begins, too
}

// Whose turn it is: h is helm, t is tutti; the pattern repeats.
func (s *scenario) patterns() []string {
	if s.mixed {
		return []string{"h", "t", "th", "ht"}
	}
	return []string{"h", "t", "th"}
}

var serial atomic.Int64

// run is one pass of a scenario in a namespace of its own.
type run struct {
	t                 *testing.T
	namespace, folder string
}

func (s *scenario) begin(t *testing.T) *run {
	r := &run{t: t, namespace: fmt.Sprintf("ns%06d", serial.Add(1))}
	r.folder = filepath.Join(shared.dir, r.namespace)
	ns := &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.namespace}}
	if _, err := shared.client.CoreV1().Namespaces().Create(context.Background(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var path string
	files := map[string]string{}
	for _, line := range strings.SplitAfter(s.charts, "\n") {
		if strings.HasPrefix(line, "-- ") {
			path = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "-- "), " --")
		} else if path != "" {
			files[path] += strings.ReplaceAll(line, "NS", r.namespace)
		}
	}
	for name, text := range files {
		full := filepath.Join(r.folder, name)
		os.MkdirAll(filepath.Dir(full), 0755)
		if err := os.WriteFile(full, []byte(text), 0755); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *run) end() {
	shared.client.CoreV1().Namespaces().Delete(context.Background(), r.namespace, metav1.DeleteOptions{})
	os.RemoveAll(r.folder)
}

var noise = regexp.MustCompile(`(?m)^(I\d{4}|W\d{4}|warnings\.go|hooks\.go|lookup_func\.go|Flag --|level=|time=|not ready: |Warning: |revision \d+ of ).*\n`)

// neutral takes the run's own words out of a text.
func (r *run) neutral(text string) string {
	text = strings.ReplaceAll(text, r.folder, "CHARTS")
	return withoutTimes(strings.ReplaceAll(text, r.namespace, "NS"))
}

// step runs one command with a tool, or with kubectl's place taken by what stands behind "!".
func (r *run) step(tool byte, line string) string {
	line = strings.ReplaceAll(strings.ReplaceAll(line, "NS", r.namespace), "CHARTS", r.folder)
	args := append(strings.Fields(line), "-n", r.namespace)
	c := exec.Command(shared.helm, args...)
	if tool == 't' {
		c = exec.Command(fromEnv("HELM_TUTTI", tutti()), append([]string{"helm"}, args...)...)
	}
	c.Env = append(os.Environ(), "KUBECONFIG="+shared.kubeconfig(), "TZ=UTC", "HELM_CACHE_HOME="+shared.dir, "HELM_DATA_HOME="+shared.dir,
		"HELM_CONFIG_HOME="+shared.dir, "HOME="+shared.dir)
	var out, errors bytes.Buffer
	c.Stdout, c.Stderr = &out, &errors
	code := 0
	if err := c.Run(); err != nil {
		code = c.ProcessState.ExitCode()
	}
	told := noise.ReplaceAllString(errors.String(), "")
	return r.neutral(fmt.Sprintf("%s[exit %d]\n%s", out.String(), code, told))
}

func (s *scenario) play(t *testing.T, pattern string) (answers, states []string) {
	r := s.begin(t)
	defer r.end()
	for i, line := range s.steps {
		if rest, ok := strings.CutPrefix(line, "! "); ok {
			r.prepare(rest)
			answers = append(answers, "")
		} else {
			answers = append(answers, r.step(pattern[i%len(pattern)], line))
		}
		if len(pattern) == 1 || i == len(s.steps)-1 {
			states = append(states, r.neutral(records(t, r.namespace)+"\n--- objects\n"+objects(t, r.namespace)))
		} else {
			states = append(states, "")
		}
	}
	return answers, states
}

// difference shows the first line in which two texts differ.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := 0; i < len(a) || i < len(b); i++ {
		x, y := "(nothing)", "(nothing)"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			k := 0
			for k < len(x) && k < len(y) && x[k] == y[k] {
				k++
			}
			from := max(0, k-120)
			cut := func(s string) string { return s[min(from, len(s)):min(len(s), k+300)] }
			return fmt.Sprintf("line %d, byte %d\n  helm:  %s\n  tutti: %s", i+1, k, cut(x), cut(y))
		}
	}
	return ""
}

func (s *scenario) test(t *testing.T) {
	t.Parallel()
	var answers, states []string
	for _, pattern := range s.patterns() {
		a, st := s.play(t, pattern)
		if answers == nil {
			answers, states = a, st
			if os.Getenv("SHOW") != "" {
				for i := range a {
					t.Logf("%s\n%s", s.steps[i], a[i])
				}
			}
			continue
		}
		told := false // a state that differs does so until the end
		for i, line := range s.steps {
			if a[i] != answers[i] {
				t.Errorf("%s: %s: output: %s", pattern, line, difference(answers[i], a[i]))
			}
			if st[i] != "" && st[i] != states[i] && !told {
				told = true
				t.Errorf("%s: %s: state: %s", pattern, line, difference(states[i], st[i]))
			}
		}
	}
}

func TestScenarios(t *testing.T) {
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name, s.test)
	}
}

// prepare changes the cluster behind the tools' backs: "patch GVR NAME JSON", "delete GVR NAME", "create JSON of a ConfigMap's name".
func (r *run) prepare(line string) {
	r.t.Helper()
	line = strings.ReplaceAll(line, "NS", r.namespace)
	if err := prepare(r.namespace, line); err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
}
