// Package language compares what authors of charts and their users write, the functions in templates and the texts of --set, with Helm's
// own packages on random cases. STRVALS_RUN and FUNCTIONS_RUN name the programs of tests/unit (default: below ../../../../build/tests/unit),
// STRVALS_SECONDS and SPRIG_SECONDS how long to look (default 5), SEED where to begin.
package language

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// runner is tutti's side: a program that answers a line with a line.
type runner struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

func startRunner(t *testing.T, variable, path string) *runner {
	if named := os.Getenv(variable); named != "" {
		path = named
	} else {
		path = "../../../../build/tests/unit/" + path
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return &runner{t, in, bufio.NewReaderSize(out, 1<<20)}
}

// ask sends a question as JSON; the answer is two words in hex.
func (r *runner) ask(question any) (out, failure string) {
	line, err := json.Marshal(question)
	if err == nil {
		_, err = r.in.Write(append(line, '\n'))
	}
	answer, readErr := r.out.ReadString('\n')
	words := strings.Split(strings.TrimSuffix(answer, "\n"), " ")
	if err != nil || readErr != nil || len(words) != 2 {
		r.t.Fatalf("%s: no answer: %v %v", line, err, readErr)
	}
	o, _ := hex.DecodeString(words[0])
	e, _ := hex.DecodeString(words[1])
	return string(o), string(e)
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// random calls try until the time is over or too much differs.
func random(t *testing.T, seconds string, try func(r *rand.Rand) bool) {
	source := rand.New(rand.NewSource(int64(number("SEED", 1))))
	end := time.Now().Add(time.Duration(number(seconds, 5)) * time.Second)
	cases, bad := 0, 0
	for ; time.Now().Before(end) && bad < number("FAILURES", 10); cases++ {
		if !try(source) {
			bad++
		}
	}
	t.Logf("%d cases, %d differ", cases, bad)
}

func pick(r *rand.Rand, words ...string) string { return words[r.Intn(len(words))] }
