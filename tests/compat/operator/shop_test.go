package operator

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var shopVersion = schema.GroupVersion{Group: "operator.example.com", Version: "v1"}

// Shop is what the operator keeps: it gives each a ConfigMap and says so in its status.
type Shop struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              ShopSpec   `json:"spec,omitempty"`
	Status            ShopStatus `json:"status,omitempty"`
}

type ShopSpec struct {
	Goods    string `json:"goods,omitempty"`
	Counters int64  `json:"counters,omitempty"`
}

type ShopStatus struct {
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
}

type ShopList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Shop `json:"items"`
}

func copyOf[T any](from *T) *T {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(from)
	if err != nil {
		panic(err)
	}
	to := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, to); err != nil {
		panic(err)
	}
	return to
}

func (s *Shop) DeepCopyObject() runtime.Object     { return copyOf(s) }
func (l *ShopList) DeepCopyObject() runtime.Object { return copyOf(l) }

func shopScheme(base *runtime.Scheme) *runtime.Scheme {
	base.AddKnownTypes(shopVersion, &Shop{}, &ShopList{})
	metav1.AddToGroupVersion(base, shopVersion)
	return base
}

const shopDefinition = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
"metadata":{"name":"shops.operator.example.com"},"spec":{"group":"operator.example.com","scope":"Namespaced",
"names":{"plural":"shops","singular":"shop","kind":"Shop","listKind":"ShopList","shortNames":["sh"]},
"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
"schema":{"openAPIV3Schema":{"type":"object","properties":{
"spec":{"type":"object","required":["goods"],"properties":{"goods":{"type":"string","maxLength":40},
"counters":{"type":"integer","minimum":1,"default":2}},
"x-kubernetes-validations":[{"rule":"!self.goods.contains('forbidden')","message":"not in this town"}]},
"status":{"type":"object","properties":{"observedGeneration":{"type":"integer"},"conditions":{"type":"array",
"x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["type"],"items":{"type":"object","required":["type","status"],
"properties":{"type":{"type":"string"},"status":{"type":"string"},"reason":{"type":"string"},"message":{"type":"string"},
"lastTransitionTime":{"type":"string","format":"date-time"},"observedGeneration":{"type":"integer"}}}}}}}}}}]}}`
