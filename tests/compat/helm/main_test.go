// Package helm runs the same sequences of commands through real helm and through tutti, alone and mixed, against one tutti
// server, and compares what they print, what they record and what is in the cluster afterwards. TUTTI names the binary
// (default ../../../build/tutti), HELM_TUTTI another one for `tutti helm`, HELM a ready helm 3.22 (default: built from the module).
package helm

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// server is one `tutti up --no-agent` with simulated nodes.
type server struct {
	dir       string
	up, nodes *exec.Cmd
	config    *rest.Config
	client    *kubernetes.Clientset
	dynamic   *dynamic.DynamicClient
	discovery *discovery.DiscoveryClient
	helm      string
}

var shared server

func fromEnv(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	path, _ := filepath.Abs(otherwise)
	return path
}

func tutti() string { return fromEnv("TUTTI", "../../../build/tutti") }

func (s *server) kubeconfig() string { return filepath.Join(s.dir, "data", "admin.kubeconfig") }

func (s *server) start() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	listener.Close()
	s.up = exec.Command(tutti(), "up", "--no-agent", "--data-dir", filepath.Join(s.dir, "data"), "--listen", address,
		"--pod-cidr", "10.96.0.0/16", "--service-cidr", "10.97.0.0/16")
	s.up.Stderr = os.Stderr
	s.up.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.up.Start(); err != nil {
		return err
	}
	if err := s.connect(30 * time.Second); err != nil {
		return err
	}
	s.nodes = exec.Command(tutti(), "simulate", "--nodes", "2", "--kubeconfig", s.kubeconfig())
	s.nodes.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	return s.nodes.Start()
}

func (s *server) connect(limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		var err error
		if s.config, err = clientcmd.BuildConfigFromFlags("", s.kubeconfig()); err == nil {
			s.config.QPS, s.config.Burst = 1000, 1000
			s.config.WarningHandler = rest.NoWarnings{}
			s.client = kubernetes.NewForConfigOrDie(s.config)
			s.dynamic = dynamic.NewForConfigOrDie(s.config)
			s.discovery = discovery.NewDiscoveryClientForConfigOrDie(s.config)
			_, err = s.client.CoreV1().Namespaces().Get(context.Background(), "default", metav1.GetOptions{})
		}
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("tutti is not ready: %w", err)
		}
	}
}

// build makes the reference program; Go's cache keeps what it is made of.
func (s *server) build() error {
	s.helm = os.Getenv("HELM")
	if s.helm != "" {
		return nil
	}
	s.helm = filepath.Join(s.dir, "helm")
	// What helm's own Makefile sets: its version, and the Kubernetes version that .Capabilities has.
	version := "-X helm.sh/helm/v3/internal/version.version=v3.22.0"
	for _, variable := range []string{"chartutil.k8sVersion", "lint/rules.k8sVersion"} {
		version += fmt.Sprintf(" -X helm.sh/helm/v3/pkg/%[1]sMajor=1 -X helm.sh/helm/v3/pkg/%[1]sMinor=37", variable)
	}
	out, err := exec.Command("go", "build", "-ldflags", version, "-o", s.helm, "helm.sh/helm/v3/cmd/helm").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building helm: %w\n%s", err, out)
	}
	return nil
}

func (s *server) stop() {
	for _, c := range []*exec.Cmd{s.nodes, s.up} {
		if c != nil && c.Process != nil {
			c.Process.Signal(syscall.SIGTERM)
			c.Wait()
		}
	}
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("/var/tmp", "tutti-helm-")
	if err != nil {
		panic(err)
	}
	shared = server{dir: dir}
	if err = shared.build(); err == nil {
		err = shared.start()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	shared.stop()
	os.RemoveAll(dir)
	os.Exit(code)
}
