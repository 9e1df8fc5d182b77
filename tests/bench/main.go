// bench runs the same work against one or two API servers and prints the figures side by side.
//
//	bench verbs  -a KUBECONFIG [-b KUBECONFIG]   create, get, list, patch, delete at several concurrencies
//	bench deploy -a KUBECONFIG                   Deployments until all their pods run (nodes must be there)
//	bench services -a KUBECONFIG                 behind deploy: Services until all their endpoints are in slices
//	bench namespace -a KUBECONFIG                makes the namespace of all of them
//	bench rss PID[,PID…]                         resident memory
//
// "a" is tutti, "b" upstream; the ratio is a's throughput by b's. Request bodies are made beforehand and answers read whole but not
// decoded, so that on a shared machine the client costs as little as possible. Each step runs on a, then on b.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
	os.Exit(1)
}

func connect(kubeconfig string) *kubernetes.Clientset {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		fail("%v", err)
	}
	config.QPS, config.Burst = -1, -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		fail("%v", err)
	}
	return client
}

func main() {
	if len(os.Args) < 2 {
		fail("usage: bench verbs|deploy|services|rss …")
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	a := flags.String("a", "", "kubeconfig of tutti")
	b := flags.String("b", "", "kubeconfig of the upstream server")
	operations := flags.Int("ops", 2000, "operations a verb (a quarter of it one at a time)")
	pods := flags.Int("pods", 10000, "deploy: pods in all")
	count := flags.Int("services", 2000, "services: how many")
	deployments := flags.Int("deployments", 100, "deploy: Deployments")
	flags.Parse(os.Args[2:])
	switch os.Args[1] {
	case "verbs":
		clients := []*kubernetes.Clientset{connect(*a)}
		if *b != "" {
			clients = append(clients, connect(*b))
		}
		if !verbs(clients, *operations) {
			os.Exit(1)
		}
	case "deploy":
		if !deploy(connect(*a), *deployments, *pods) {
			os.Exit(1)
		}
	case "services":
		if !services(connect(*a), *count, *deployments, *pods) {
			os.Exit(1)
		}
	case "namespace":
		ensureNamespace(connect(*a))
	case "rss":
		rss(strings.Split(flags.Arg(0), ","))
	default:
		fail("unknown word %s", os.Args[1])
	}
}

// rss prints resident memory as the kernel counts it, for each process and in all.
func rss(pids []string) {
	var sum float64
	for _, pid := range pids {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			fail("%v", err)
		}
		var name string
		fields := map[string]float64{}
		for _, line := range strings.Split(string(status), "\n") {
			key, value, _ := strings.Cut(line, ":")
			var kib float64
			if key == "Name" {
				name = strings.TrimSpace(value)
			} else if n, _ := fmt.Sscanf(value, "%f kB", &kib); n == 1 {
				fields[key] = kib / 1024
			}
		}
		sum += fields["VmRSS"]
		fmt.Printf("%-16s %8s  RSS %7.1f MiB (anonymous %.1f, file %.1f)  peak %7.1f MiB\n", name, pid, fields["VmRSS"], fields["RssAnon"], fields["RssFile"], fields["VmHWM"])
	}
	fmt.Printf("sum RSS %.1f MiB\n", sum)
}
