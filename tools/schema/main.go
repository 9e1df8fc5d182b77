// Command schema writes schemas/*.json: what Kubernetes' API machinery knows about the built-in
// kinds, as data and without prose.
//
//	cd tools/schema && go run . ../../schemas
//
// It joins three sources of one release: the Go types (JSON names, protobuf
// numbers, pointers, omitempty), the published OpenAPI (required, defaults, list types, merge keys)
// with the enums of its generator, and the published discovery documents (resources, verbs).
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

const release = "v1.34.4" // of k8s.io/kubernetes; go.mod has the libraries of the same release

// What kube-apiserver serves by default, in the order of its discovery.
var groupVersions = []schema.GroupVersion{
	{Group: "", Version: "v1"},
	{Group: "apiregistration.k8s.io", Version: "v1"},
	{Group: "apps", Version: "v1"},
	{Group: "events.k8s.io", Version: "v1"},
	{Group: "authentication.k8s.io", Version: "v1"},
	{Group: "authorization.k8s.io", Version: "v1"},
	{Group: "autoscaling", Version: "v2"},
	{Group: "autoscaling", Version: "v1"},
	{Group: "batch", Version: "v1"},
	{Group: "certificates.k8s.io", Version: "v1"},
	{Group: "networking.k8s.io", Version: "v1"},
	{Group: "policy", Version: "v1"},
	{Group: "rbac.authorization.k8s.io", Version: "v1"},
	{Group: "storage.k8s.io", Version: "v1"},
	{Group: "admissionregistration.k8s.io", Version: "v1"},
	{Group: "apiextensions.k8s.io", Version: "v1"},
	{Group: "scheduling.k8s.io", Version: "v1"},
	{Group: "coordination.k8s.io", Version: "v1"},
	{Group: "node.k8s.io", Version: "v1"},
	{Group: "discovery.k8s.io", Version: "v1"},
	{Group: "flowcontrol.apiserver.k8s.io", Version: "v1"},
}

// Types that requests and answers hold besides the kinds themselves.
var metaTypes = []any{
	metav1.Status{}, metav1.DeleteOptions{}, metav1.CreateOptions{}, metav1.UpdateOptions{},
	metav1.PatchOptions{}, metav1.GetOptions{}, metav1.ListOptions{},
	metav1.PartialObjectMetadata{}, metav1.PartialObjectMetadataList{}, metav1.List{},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: schema FOLDER")
	}
	must(apiextensions.AddToScheme(scheme.Scheme))
	must(apiregistration.AddToScheme(scheme.Scheme))
	upstream := moduleDir("k8s.io/kubernetes@" + release)
	r := &reader{
		openapi: readOpenAPI(filepath.Join(upstream, "api/openapi-spec/v3")),
		enums:   readEnums(filepath.Join(upstream, "pkg/generated/openapi/zz_generated.openapi.go")),
		files:   map[string]*file{},
		seen:    map[reflect.Type]bool{},
	}
	for i, gv := range groupVersions {
		f := r.file(fileName(gv.Group, gv.Version))
		f.Group, f.Version, f.Order = &gv.Group, gv.Version, i
		f.Kinds = readDiscovery(filepath.Join(upstream, "api/discovery"), gv)
		for k := range f.Kinds {
			kind := &f.Kinds[k]
			t := kindType(gv, kind.Kind)
			kind.Schema = definitionName(t)
			r.definition(t)
			list := gv.WithKind(kind.Kind + "List")
			if scheme.Scheme.Recognizes(list) {
				kind.ListKind = list.Kind
				r.definition(kindType(gv, list.Kind))
			}
			for i := range kind.Subresources {
				sub := &kind.Subresources[i]
				t := kindType(schema.GroupVersion{Group: sub.Group, Version: sub.Version}, sub.Kind)
				sub.Schema = definitionName(t)
				r.definition(t)
			}
		}
	}
	for _, v := range metaTypes {
		r.definition(reflect.TypeOf(v))
	}
	for name, f := range r.files {
		must(os.WriteFile(filepath.Join(os.Args[1], name), f.encode(), 0o644))
	}
}

func kindType(gv schema.GroupVersion, kind string) reflect.Type {
	object, err := scheme.Scheme.New(gv.WithKind(kind))
	must(err)
	return reflect.TypeOf(object).Elem()
}

// moduleDir fetches a module into Go's cache: the documents in it are read, its code is not built.
func moduleDir(module string) string {
	out, err := exec.Command("go", "mod", "download", "-json", module).Output()
	must(err)
	var answer struct{ Dir string }
	must(json.Unmarshal(out, &answer))
	return answer.Dir
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// A file of schemas/: the kinds of one group-version and the definitions of one Go package.
type file struct {
	Group       *string
	Version     string
	Order       int
	Kinds       []kind
	Definitions map[string]*definition
}

func fileName(group, version string) string {
	if group == "" {
		group = "core"
	}
	return strings.SplitN(group, ".", 2)[0] + "." + version + ".json"
}

// One field and one kind a line, so that a change of upstream's reads well in a diff.
func (f *file) encode() []byte {
	var b bytes.Buffer
	b.WriteString("{\n")
	if f.Group != nil {
		fmt.Fprintf(&b, "\"group\": %s, \"version\": %s, \"order\": %d,\n", line(*f.Group), line(f.Version), f.Order)
		b.WriteString("\"kinds\": [")
		for i, k := range f.Kinds {
			fmt.Fprintf(&b, "%s\n  %s", comma(i), line(k))
		}
		b.WriteString("\n],\n")
	}
	b.WriteString("\"definitions\": {")
	names := make([]string, 0, len(f.Definitions))
	for name := range f.Definitions {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		d := f.Definitions[name]
		fmt.Fprintf(&b, "%s\n  %s: {", comma(i), line(name))
		if d.MapType != "" {
			fmt.Fprintf(&b, "\"map\": %s, ", line(d.MapType))
		}
		b.WriteString("\"fields\": [")
		for j, field := range d.Fields {
			fmt.Fprintf(&b, "%s\n    %s", comma(j), line(field))
		}
		b.WriteString("]}")
	}
	b.WriteString("\n}\n}\n")
	return b.Bytes()
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func line(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	must(e.Encode(v))
	return strings.TrimSpace(b.String())
}
