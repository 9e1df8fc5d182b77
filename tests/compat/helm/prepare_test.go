package helm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var known = map[string]schema.GroupVersionResource{
	"configmaps":  {Version: "v1", Resource: "configmaps"},
	"services":    {Version: "v1", Resource: "services"},
	"pods":        {Version: "v1", Resource: "pods"},
	"deployments": {Group: "apps", Version: "v1", Resource: "deployments"},
}

// prepare is what somebody else does between two commands:
//
//	patch RESOURCE NAME MERGE-PATCH
//	delete RESOURCE NAME
//	configmap NAME            makes one without Helm's marks
//	settle                    waits until controllers have nothing more to do
//	status RELEASE REVISION STATUS    as an interrupted helm leaves it
func prepare(namespace, line string) error {
	ctx := context.Background()
	words := strings.SplitN(line, " ", 4)
	switch words[0] {
	case "patch":
		r := resource(namespace, words[1])
		_, err := shared.dynamic.Resource(r).Namespace(namespace).Patch(ctx, words[2], types.MergePatchType, []byte(words[3]), metav1.PatchOptions{FieldManager: "someone"})
		return err
	case "delete":
		return shared.dynamic.Resource(resource(namespace, words[1])).Namespace(namespace).Delete(ctx, words[2], metav1.DeleteOptions{})
	case "configmap":
		c := &v1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: words[1]}, Data: map[string]string{"made": "by hand"}}
		_, err := shared.client.CoreV1().ConfigMaps(namespace).Create(ctx, c, metav1.CreateOptions{FieldManager: "someone"})
		return err
	case "settle":
		for range 100 {
			time.Sleep(50 * time.Millisecond)
			all, err := shared.client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return err
			}
			settled := true
			for _, d := range all.Items {
				s := d.Status
				settled = settled && s.ObservedGeneration == d.Generation && s.UpdatedReplicas == *d.Spec.Replicas && s.Replicas == s.AvailableReplicas && s.Replicas == *d.Spec.Replicas
			}
			if settled {
				return nil
			}
		}
		return fmt.Errorf("the deployments do not settle")
	case "status":
		s := storage.Init(driver.NewSecrets(shared.client.CoreV1().Secrets(namespace)))
		var version int
		fmt.Sscan(words[2], &version)
		r, err := s.Get(words[1], version)
		if err != nil {
			return err
		}
		r.Info.Status = release.Status(words[3])
		return s.Update(r)
	}
	return fmt.Errorf("unknown word %q", words[0])
}

func resource(namespace, name string) schema.GroupVersionResource {
	if r, ok := known[name]; ok {
		return r
	}
	return schema.GroupVersionResource{Group: namespace + ".example.com", Version: "v1", Resource: name}
}
