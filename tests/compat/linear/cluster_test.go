// Package linear records what concurrent clients and watchers see while servers and etcd members are killed, and judges it: every history must be
// linearizable, every watch complete and in order. TUTTI names the binary (default ../../../build/tutti), ETCD etcd's (default: on the PATH, or built or
// unpacked into build/peers). LINEAR_SECONDS (default 8) is how long each history is.
package linear

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a program that is killed and started again.
type process struct {
	argv []string
	log  string
	cmd  *exec.Cmd
}

func (p *process) start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(p.argv[0], p.argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (p *process) kill() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

// cluster is some servers, on one store of their own or on three etcd members.
type cluster struct {
	t       testing.TB
	dir     string
	members []*process
	servers []*process
	urls    []string
	client  *http.Client
}

func root() string {
	path, _ := filepath.Abs("../../..")
	return path
}

func tutti() string {
	if path := os.Getenv("TUTTI"); path != "" {
		return path
	}
	return filepath.Join(root(), "build/tutti")
}

func etcd() string {
	candidates := []string{os.Getenv("ETCD"), filepath.Join(root(), "build/peers/etcd"), filepath.Join(root(), "build/peers/etcd-server/usr/bin/etcd")}
	if path, err := exec.LookPath("etcd"); err == nil {
		candidates = append(candidates, path)
	}
	for _, path := range candidates {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

func freePorts(t testing.TB, n int) []string {
	ports := make([]string, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (c *cluster) addMembers(n int) string {
	ports := freePorts(c.t, 2*n)
	var clients, peers []string
	for i := 0; i < n; i++ {
		clients = append(clients, "http://127.0.0.1:"+ports[i])
		peers = append(peers, fmt.Sprintf("m%d=http://127.0.0.1:%s", i, ports[n+i]))
	}
	for i := 0; i < n; i++ {
		peer := strings.SplitN(peers[i], "=", 2)[1]
		p := &process{log: filepath.Join(c.dir, fmt.Sprintf("m%d.log", i)), argv: []string{etcd(), "--name", fmt.Sprintf("m%d", i),
			"--data-dir", filepath.Join(c.dir, fmt.Sprintf("m%d", i)), "--listen-client-urls", clients[i], "--advertise-client-urls", clients[i],
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", strings.Join(peers, ",")}}
		p.start(c.t)
		c.members = append(c.members, p)
	}
	return "etcd=" + strings.Join(clients, ",")
}

// The keys that all servers of a cluster have in common.
func (c *cluster) copyKeys(from, to string) {
	if err := os.MkdirAll(filepath.Join(to, "pki"), 0o700); err != nil {
		c.t.Fatal(err)
	}
	for _, name := range []string{"ca.crt", "ca.key", "sa.key", "sa.pub"} {
		data, err := os.ReadFile(filepath.Join(from, "pki", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, "pki", name), data, 0o600)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) addServer(store string) {
	i := len(c.servers)
	dir, address := filepath.Join(c.dir, fmt.Sprintf("s%d", i)), "127.0.0.1:"+freePorts(c.t, 1)[0]
	argv := []string{tutti(), "server", "--data-dir", dir, "--listen", address}
	if store != "" {
		argv = append(argv, "--store", store)
	}
	if i == 0 || store == "" {
		argv = append(argv, "--service-cidr", "10.198.0.0/16", "--pod-cidr", "10.199.0.0/16")
	}
	if i > 0 { // what the first has, all have
		c.copyKeys(filepath.Join(c.dir, "s0"), dir)
	}
	p := &process{argv: argv, log: dir + ".log"}
	p.start(c.t)
	c.servers = append(c.servers, p)
	c.urls = append(c.urls, "https://"+address)
	if i == 0 {
		eventually(c.t, func() bool { c.client = c.credentials(dir); return c.client != nil })
	}
	eventually(c.t, func() bool { return c.ready(i) })
}

func (c *cluster) credentials(dir string) *http.Client {
	config, err := os.ReadFile(filepath.Join(dir, "admin.kubeconfig"))
	if err != nil {
		return nil
	}
	data := func(key string) []byte {
		match := regexp.MustCompile(key + `: "?([A-Za-z0-9+/=]+)`).FindSubmatch(config)
		decoded, _ := base64.StdEncoding.DecodeString(string(match[1]))
		return decoded
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(data("certificate-authority-data"))
	cert, err := tls.X509KeyPair(data("client-certificate-data"), data("client-key-data"))
	if err != nil {
		c.t.Fatal(err)
	}
	return &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}, MaxIdleConnsPerHost: 64}}
}

func (c *cluster) ready(i int) bool {
	code, _, err := c.do(i, "GET", "/readyz", "", nil)
	return err == nil && code == 200
}

// do is one request, never sent twice. An error: nobody knows what became of it.
func (c *cluster) do(server int, method, path, contentType string, body any) (int, map[string]any, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, c.urls[server]+path, reader)
	if err != nil {
		return 0, nil, err
	}
	request.GetBody = nil
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err
	}
	var answer map[string]any
	json.Unmarshal(text, &answer)
	return response.StatusCode, answer, nil
}

func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen within 40 s")
		}
	}
}

func newCluster(t testing.TB, servers, members int) *cluster {
	dir, err := os.MkdirTemp("/var/tmp", "tutti-linear-")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, dir: dir}
	t.Cleanup(func() {
		for _, p := range append(append([]*process{}, c.servers...), c.members...) {
			p.kill()
		}
		if t.Failed() {
			for i := range c.servers {
				log, _ := os.ReadFile(filepath.Join(dir, fmt.Sprintf("s%d.log", i)))
				t.Logf("--- the end of server %d's log\n%s", i, log[max(0, len(log)-2000):])
			}
		}
		os.RemoveAll(dir)
	})
	store := ""
	if members > 0 {
		store = c.addMembers(members)
	}
	for i := 0; i < servers; i++ {
		c.addServer(store)
	}
	return c
}
