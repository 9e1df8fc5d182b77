// Package template runs random templates through Go's text/template and through tutti's, and compares outputs and
// errors. TEMPLATE_RUN names the program of tests/unit/template (default ../../../build/tests/unit/template/template_run),
// TEMPLATE_SECONDS how long to look (default 10), TEMPLATE_SEED where to begin.
package template

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"
)

// testCase is one render: named texts, the name to execute, the data, the option missingkey ("" is zero).
type testCase struct {
	Texts   [][2]string `json:"t"`
	Execute string      `json:"x"`
	Data    any         `json:"d"`
	Missing string      `json:"m,omitempty"`
}

// upstream is what Go answers; ok is false when Go's own library panics.
func (c *testCase) upstream() (out, failure string, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	missing := "missingkey=zero"
	if c.Missing != "" {
		missing = "missingkey=" + c.Missing
	}
	t := template.New("gotpl").Option(missing).Funcs(functions)
	t.Funcs(nesting(t, map[string]int{}, missing))
	for _, text := range c.Texts {
		if _, err := t.New(text[0]).Parse(text[1]); err != nil {
			return "", err.Error(), true
		}
	}
	var b strings.Builder
	if err := t.ExecuteTemplate(&b, c.Execute, roundTrip(c.Data)); err != nil {
		failure = err.Error()
	}
	return b.String(), failure, true
}

// roundTrip gives data the types that a chart's values have.
func roundTrip(data any) (v any) {
	b, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		panic(err)
	}
	return v
}

// runner is tutti's side: a program that answers cases.
type runner struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func startRunner(t *testing.T) *runner {
	path := os.Getenv("TEMPLATE_RUN")
	if path == "" {
		path = "../../../build/tests/unit/template/template_run"
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	r := &runner{t: t, cmd: exec.Command(path)}
	r.cmd.Stderr = os.Stderr
	r.in, _ = r.cmd.StdinPipe()
	out, _ := r.cmd.StdoutPipe()
	r.out = bufio.NewReaderSize(out, 1<<20)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.in.Close(); r.cmd.Wait() })
	return r
}

func (r *runner) ask(c *testCase) (out, failure string) {
	coded := *c
	coded.Texts = nil
	for _, text := range c.Texts {
		coded.Texts = append(coded.Texts, [2]string{text[0], hex.EncodeToString([]byte(text[1]))})
	}
	line, err := json.Marshal(coded)
	if err == nil {
		_, err = r.in.Write(append(line, '\n'))
	}
	answer, readErr := r.out.ReadString('\n')
	words := strings.Split(strings.TrimSuffix(answer, "\n"), " ")
	if err != nil || readErr != nil || len(words) != 2 {
		r.t.Fatalf("%q: no answer: %v %v", c.Texts, err, readErr)
	}
	o, _ := hex.DecodeString(words[0])
	e, _ := hex.DecodeString(words[1])
	return string(o), string(e)
}

// Addresses differ from run to run: what may print one is compared without digits.
var (
	address       = regexp.MustCompile(`[ 0]*[-+ ]?(0[xX])?[0-9a-fA-F]{6,} *`)
	printsAddress = regexp.MustCompile(`%[^%"]*p|mkFn|obj`)
)

func same(c *testCase, a, b string) bool {
	text := fmt.Sprint(c.Texts)
	if a == b || !printsAddress.MatchString(text) {
		return a == b
	}
	// Whose digits may have become numbers of their own.
	return strings.Contains(text, "bytes") || address.ReplaceAllString(a, "") == address.ReplaceAllString(b, "")
}

func (r *runner) compare(c *testCase) {
	wantOut, wantErr, ok := c.upstream()
	if !ok {
		return
	}
	out, failure := r.ask(c)
	// The stack of one of the two ended an endless recursion.
	if strings.Contains(wantErr, "exceeded maximum template depth") && strings.Contains(failure, "exceeded maximum template depth") {
		return
	}
	if !same(c, out, wantOut) || !same(c, failure, wantErr) {
		r.t.Errorf("%q missingkey=%s\n output %q\n   want %q\n  error %q\n   want %q", c.Texts, c.Missing, out, wantOut, failure, wantErr)
	}
}

func TestGolden(t *testing.T) {
	r := startRunner(t)
	golden, err := os.ReadFile("../../unit/template/template.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(golden), "\n\n") {
		text := strings.ReplaceAll(strings.SplitN(part, "\n", 2)[0], "␤", "\n")
		for _, missing := range []string{"", "default", "error"} {
			r.compare(&testCase{Texts: [][2]string{{"c/x.yaml", text}}, Execute: "c/x.yaml", Data: data, Missing: missing})
		}
	}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func TestRandom(t *testing.T) {
	r := startRunner(t)
	random := rand.New(rand.NewSource(int64(number("TEMPLATE_SEED", 1))))
	end := time.Now().Add(time.Duration(number("TEMPLATE_SECONDS", 10)) * time.Second)
	cases := 0
	for ; time.Now().Before(end) && !t.Failed(); cases++ {
		r.compare(randomCase(random))
	}
	t.Logf("%d cases", cases)
}
