package main

import (
	"bufio"
	"bytes"
	"fmt"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

var ofService = regexp.MustCompile(`"kubernetes.io/service-name":"(s[0-9]+)"`)

// services creates Services over the pods of "deploy" and follows the EndpointSlices by one watch, whose lines are searched and not decoded. The
// clock runs from the first create to the last Service all whose pods are in its slices.
func services(client *kubernetes.Clientset, services, deployments, pods int) bool {
	stream, err := client.DiscoveryV1().RESTClient().Get().Namespace(namespace).Resource("endpointslices").Param("watch", "true").Stream(ctx)
	if err != nil {
		fail("%v", err)
	}
	defer stream.Close()
	complete := make(chan int, services)
	go func() {
		endpoints := map[string]int{}
		for reader := bufio.NewReaderSize(stream, 1<<20); ; {
			line, err := reader.ReadBytes('\n')
			if err != nil {
				fail("the watch ended: %v", err)
			}
			match := ofService.FindSubmatch(line)
			if match == nil {
				continue
			}
			name, n := string(match[1]), bytes.Count(line, []byte(`"targetRef"`))
			if n >= pods/deployments && endpoints[name] < n {
				complete <- n
			}
			endpoints[name] = max(endpoints[name], n)
		}
	}()
	start := time.Now()
	s := run(16, services, func(i int) error {
		labels := map[string]string{"app": fmt.Sprintf("d%03d", i%deployments)}
		_, err := client.CoreV1().Services(namespace).Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%05d", i)},
			Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}}, metav1.CreateOptions{})
		return err
	})
	if s.errors > 0 {
		fail("create: %v", s.first)
	}
	created := time.Since(start).Seconds()
	limit, endpoints := time.After(10*time.Minute), 0
	for i := range services {
		select {
		case n := <-complete:
			endpoints += n
		case <-limit:
			fmt.Printf("after 10 minutes %d of %d Services are sliced\n", i, services)
			return false
		}
	}
	fmt.Printf("services: %d created after %.2f s, %d endpoints sliced after %.2f s\n", services, created, endpoints, time.Since(start).Seconds())
	return true
}
