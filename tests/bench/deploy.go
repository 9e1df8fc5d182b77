package main

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// deploy creates the Deployments and follows their pods by one watch. The clock runs from the first create to the last pod seen Running.
func deploy(client *kubernetes.Clientset, deployments, pods int) bool {
	ensureNamespace(client)
	created, scheduled, running := map[string]bool{}, map[string]bool{}, map[string]bool{}
	note := func(p *corev1.Pod) {
		created[p.Name] = true
		if p.Spec.NodeName != "" {
			scheduled[p.Name] = true
		}
		if p.Status.Phase == corev1.PodRunning {
			running[p.Name] = true
		}
	}
	// A server may end the watch of a reader that lags; then everything is listed again, as an informer does.
	follow := func() watch.Interface {
		list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			fail("%v", err)
		}
		for i := range list.Items {
			note(&list.Items[i])
		}
		w, err := client.CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			fail("%v", err)
		}
		return w
	}
	events := follow()
	start := time.Now()
	s := run(16, deployments, func(i int) error {
		name := fmt.Sprintf("d%03d", i)
		replicas, labels := int32(pods/deployments), map[string]string{"app": name}
		_, err := client.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec("")}}}, metav1.CreateOptions{})
		return err
	})
	if s.errors > 0 {
		fail("create: %v", s.first)
	}
	report := time.Now()
	limit := time.After(10 * time.Minute)
	for len(running) < pods {
		select {
		case event, open := <-events.ResultChan():
			if p, ok := event.Object.(*corev1.Pod); open && ok {
				note(p)
			} else {
				events.Stop()
				events = follow()
			}
		case <-limit:
			fmt.Printf("after 10 minutes: created %d scheduled %d running %d\n", len(created), len(scheduled), len(running))
			return false
		}
		if time.Since(report) > 5*time.Second {
			report = time.Now()
			fmt.Printf("  %5.1fs created %d scheduled %d running %d\n", time.Since(start).Seconds(), len(created), len(scheduled), len(running))
		}
	}
	took := time.Since(start).Seconds()
	fmt.Printf("deploy: %d pods of %d Deployments Running in %.2f s (%.0f pods/s)\n", pods, deployments, took, float64(pods)/took)
	return true
}
