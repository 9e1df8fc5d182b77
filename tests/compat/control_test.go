package compat

import (
	"context"
	"os/exec"
	"syscall"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

type contextType = context.Context

func contextWithCancel() (context.Context, func()) { return context.WithCancel(context.Background()) }

// simulate runs nodes that pretend, for the time of the test.
func simulate(t *testing.T) {
	cmd := exec.Command(binary(), "simulate", "--nodes", "3", "--kubeconfig", shared.kubeconfig(), "--start-ms", "50")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
}

func ready(t *testing.T, client kubernetes.Interface, ns, name string, replicas int32) func() bool {
	return func() bool {
		d, err := client.AppsV1().Deployments(ns).Get(ctx, name, metav1.GetOptions{})
		return err == nil && d.Status.ObservedGeneration == d.Generation && d.Status.ReadyReplicas == replicas && d.Status.UpdatedReplicas == replicas && d.Status.Replicas == replicas
	}
}

func TestDeploymentLife(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	simulate(t)
	deployments := client.AppsV1().Deployments(ns)
	if _, err := deployments.Create(ctx, newDeployment("web", 4), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Services(ns).Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}, Selector: map[string]string{"app": "web"}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "four replicas are ready", ready(t, client, ns, "web", 4))
	endpoints := func() (n int) {
		slices, _ := client.DiscoveryV1().EndpointSlices(ns).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=web"})
		for _, slice := range slices.Items {
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready != nil && *e.Conditions.Ready {
					n++
				}
			}
		}
		return n
	}
	eventually(t, "four endpoints", func() bool { return endpoints() == 4 })
	if _, err := deployments.Patch(ctx, "web", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"registry.local/pause:2"}]}}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the update is out", ready(t, client, ns, "web", 4))
	sets, _ := client.AppsV1().ReplicaSets(ns).List(ctx, metav1.ListOptions{})
	if len(sets.Items) != 2 {
		t.Errorf("%d ReplicaSets", len(sets.Items))
	}
	for _, set := range sets.Items {
		if set.Annotations["deployment.kubernetes.io/revision"] == "" || set.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == "" {
			t.Errorf("ReplicaSet %s: %v %v", set.Name, set.Annotations, set.Labels)
		}
	}
	foreground := metav1.DeletePropagationForeground
	if err := deployments.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deployment and all below it are gone", func() bool {
		_, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		pods, _ := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		return apierrors.IsNotFound(err) && len(pods.Items) == 0
	})
}

func TestOrphans(t *testing.T) {
	client := clientset(t, "")
	ns := namespace(t, client)
	if _, err := client.AppsV1().Deployments(ns).Create(ctx, newDeployment("web", 1), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	sets := func() []appsv1.ReplicaSet {
		list, _ := client.AppsV1().ReplicaSets(ns).List(ctx, metav1.ListOptions{})
		return list.Items
	}
	eventually(t, "a ReplicaSet", func() bool { return len(sets()) == 1 })
	orphan := metav1.DeletePropagationOrphan
	if err := client.AppsV1().Deployments(ns).Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ReplicaSet has no owner", func() bool { s := sets(); return len(s) == 1 && len(s[0].OwnerReferences) == 0 })
}

func TestNamespaceGoesWithItsContent(t *testing.T) {
	client := clientset(t, "")
	if _, err := client.CoreV1().Namespaces().Create(ctx, newNamespace("short-lived"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the default service account", func() bool {
		_, err := client.CoreV1().ServiceAccounts("short-lived").Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
	client.CoreV1().ConfigMaps("short-lived").Create(ctx, newConfigMap("cm"), metav1.CreateOptions{})
	if err := client.CoreV1().Namespaces().Delete(ctx, "short-lived", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace is gone", func() bool {
		_, err := client.CoreV1().Namespaces().Get(ctx, "short-lived", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if _, err := client.CoreV1().ConfigMaps("short-lived").Get(ctx, "cm", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("content: %v", err)
	}
}
