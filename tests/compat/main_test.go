// Package compat runs upstream's own client library against tutti. TUTTI names the binary (default ../../build/tutti).
package compat

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// cluster is one `tutti up --no-agent`, with simulated nodes where a test wants them.
type cluster struct {
	t    testing.TB
	dir  string
	port int
	up   *exec.Cmd
}

var shared *cluster

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("/var/tmp", "tutti-compat-")
	if err != nil {
		panic(err)
	}
	shared = &cluster{dir: dir}
	if err := shared.start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	code := m.Run()
	shared.stop()
	if code != 0 {
		log, _ := os.ReadFile(filepath.Join(dir, "tutti.log"))
		if len(log) > 4000 {
			log = log[len(log)-4000:]
		}
		fmt.Fprintf(os.Stderr, "--- the end of tutti.log\n%s", log)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func binary() string {
	if path := os.Getenv("TUTTI"); path != "" {
		return path
	}
	path, _ := filepath.Abs("../../build/tutti")
	return path
}

func (c *cluster) kubeconfig() string { return filepath.Join(c.dir, "admin.kubeconfig") }

func (c *cluster) start() error {
	if c.port == 0 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c.port = listener.Addr().(*net.TCPAddr).Port
		listener.Close()
	}
	c.up = exec.Command(binary(), "up", "--no-agent", "--data-dir", c.dir, "--listen", fmt.Sprintf("127.0.0.1:%d", c.port))
	c.up.Stderr = os.Stderr
	if err := c.up.Start(); err != nil {
		return err
	}
	return c.waitReady(30 * time.Second)
}

func (c *cluster) waitReady(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig())
		if err == nil {
			var client *kubernetes.Clientset
			if client, err = kubernetes.NewForConfig(config); err == nil {
				_, err = client.CoreV1().Namespaces().Get(context.Background(), "default", metav1.GetOptions{})
			}
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("tutti is not ready: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *cluster) stop() {
	c.up.Process.Signal(syscall.SIGTERM)
	c.up.Wait()
}

// killServer ends the server role with SIGKILL; the supervisor starts it again.
func (c *cluster) killServer(t testing.TB) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", c.up.Process.Pid, c.up.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(children)) {
		cmdline, _ := os.ReadFile("/proc/" + field + "/cmdline")
		if strings.Contains(string(cmdline), "\x00server\x00") {
			var pid int
			fmt.Sscan(field, &pid)
			syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	t.Fatal("no server process found")
}

func config(t testing.TB, contentType string) *rest.Config {
	config, err := clientcmd.BuildConfigFromFlags("", shared.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = -1, -1
	if contentType != "" {
		config.ContentType = contentType
		config.AcceptContentTypes = contentType + "," + runtime.ContentTypeJSON
	}
	return config
}

func clientset(t testing.TB, contentType string) *kubernetes.Clientset {
	client, err := kubernetes.NewForConfig(config(t, contentType))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// namespace makes one for the test and deletes it at the end.
func namespace(t testing.TB, client kubernetes.Interface) string {
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", ".", "-").Replace(t.Name()))
	ns, err := client.CoreV1().Namespaces().Create(context.Background(), newNamespace(name), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.CoreV1().Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{})
	})
	return ns.Name
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
