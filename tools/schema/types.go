package main

import (
	"log"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

type definition struct {
	MapType string
	Fields  []field
}

type field struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Go       string   `json:"go,omitempty"` // the Go type's name where it does not follow from type
	Proto    int      `json:"proto,omitempty"`
	Default  any      `json:"default,omitempty"` // nil: none
	Enum     []string `json:"enum,omitempty"`
	List     string   `json:"list,omitempty"`
	ListKeys []string `json:"listKeys,omitempty"`
	Map      string   `json:"map,omitempty"`
	Patch    string   `json:"patch,omitempty"`
	MergeKey string   `json:"mergeKey,omitempty"`
	Required bool     `json:"required,omitempty"`
	Keep     bool     `json:"keep,omitempty"`    // written by Go even when it is zero
	Pointer  bool     `json:"pointer,omitempty"` // zero differs from absent
}

// Types with an encoding of their own.
var leaves = map[string]string{
	"io.k8s.apimachinery.pkg.apis.meta.v1.Time":                                             "time",
	"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime":                                        "microtime",
	"io.k8s.apimachinery.pkg.apis.meta.v1.Duration":                                         "duration",
	"io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1":                                         "fieldsv1",
	"io.k8s.apimachinery.pkg.api.resource.Quantity":                                         "quantity",
	"io.k8s.apimachinery.pkg.util.intstr.IntOrString":                                       "intorstring",
	"io.k8s.apimachinery.pkg.runtime.RawExtension":                                          "raw",
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON":                         "json",
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool":        "oneof-bool",
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray":       "oneof-array",
	"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "oneof-strings",
}

type reader struct {
	openapi map[string]openapiSchema
	enums   map[string]map[string][]string
	files   map[string]*file
	seen    map[reflect.Type]bool
}

func (r *reader) file(name string) *file {
	f := r.files[name]
	if f == nil {
		f = &file{Definitions: map[string]*definition{}}
		r.files[name] = f
	}
	return f
}

// definitionName is the OpenAPI name: k8s.io/api/core/v1.Pod is io.k8s.api.core.v1.Pod.
func definitionName(t reflect.Type) string {
	host, path, _ := strings.Cut(t.PkgPath(), "/")
	parts := strings.Split(host, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ".") + "." + strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}

func (r *reader) definition(t reflect.Type) {
	if r.seen[t] {
		return
	}
	r.seen[t] = true
	name := definitionName(t)
	pkg := strings.Split(name, ".")
	d := &definition{MapType: r.openapi[name].MapType}
	r.file(pkg[len(pkg)-3] + "." + pkg[len(pkg)-2] + ".json").Definitions[name] = d
	r.fields(t, name, d)
	sort.SliceStable(d.Fields, func(i, j int) bool { return d.Fields[i].Proto < d.Fields[j].Proto })
}

func (r *reader) fields(t reflect.Type, name string, d *definition) {
	api := r.openapi[name]
	for i := 0; i < t.NumField(); i++ {
		sf := t.Field(i)
		jsonName, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if jsonName == "-" || !sf.IsExported() {
			continue
		}
		proto := protoNumber(sf.Tag.Get("protobuf"))
		if jsonName == "" && sf.Anonymous && proto == 0 {
			before := len(d.Fields)
			r.fields(sf.Type, name, d)
			for j := before; j < len(d.Fields); j++ {
				d.Fields[j].Proto = 0 // TypeMeta: its numbers hold in a message of its own
			}
			continue
		}
		f := field{Name: jsonName, Proto: proto}
		ft := sf.Type
		if ft.Kind() == reflect.Pointer {
			f.Pointer, ft = true, ft.Elem()
		}
		if embedded := definitionName(ft); jsonName == "" && len(r.openapi[embedded].Properties) == 0 {
			r.openapi[embedded] = api // it stands in no document: its members are the outer type's
			r.enums[embedded] = r.enums[name]
		}
		f.Type = r.typeName(ft)
		if name := ft.String(); jsonName != "" && name != goName(f.Type) {
			f.Go = name
		}
		f.Keep = !strings.Contains(options, "omitzero") &&
			(!strings.Contains(options, "omitempty") || (ft.Kind() == reflect.Struct && !f.Pointer))
		if jsonName != "" {
			p := api.Properties[jsonName]
			f.Default, f.Enum = p.Default, r.enums[name][jsonName]
			f.List, f.ListKeys, f.Map = p.ListType, p.ListMapKeys, p.MapType
			f.Patch, f.MergeKey = p.PatchStrategy, p.PatchMergeKey
			for _, req := range api.Required {
				f.Required = f.Required || req == jsonName
			}
			if m, ok := f.Default.(map[string]any); ok && len(m) == 0 {
				f.Default = nil // says only that the Go type is no pointer
			}
			if !f.Pointer && (f.Default == "" || f.Default == 0.0 || f.Default == false) {
				f.Default = nil // Go's zero value
			}
		}
		d.Fields = append(d.Fields, f)
	}
}

func protoNumber(tag string) int {
	parts := strings.Split(tag, ",")
	if len(parts) < 2 {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	must(err)
	return n
}

// typeName gives a leaf's name, a definition's name, or either behind "[]", "map:" or "box:" (an
// array that protobuf wraps in a message of its own).
func (r *reader) typeName(t reflect.Type) string {
	name := definitionName(t)
	if leaf := leaves[name]; leaf != "" {
		if strings.HasPrefix(leaf, "oneof-") {
			s, _ := t.FieldByName("Schema")
			return leaf + ":" + r.typeName(s.Type.Elem())
		}
		return leaf
	}
	switch t.Kind() {
	case reflect.Struct:
		r.definition(t)
		return name
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		prefix := "[]"
		if _, boxed := reflect.PointerTo(t).MethodByName("Marshal"); boxed {
			prefix = "box:"
		}
		return prefix + r.typeName(t.Elem())
	case reflect.Map:
		return "map:" + r.typeName(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32:
		return "int32"
	case reflect.Int64:
		return "int64"
	case reflect.Float64:
		return "double"
	}
	log.Fatalf("%v: a type the schemas do not know", t)
	return ""
}

// goName is how error messages of encoding/json name the type.
func goName(name string) string {
	for prefix, to := range map[string]string{"[]": "[]", "map:": "map[string]"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return to + goName(rest)
		}
	}
	for definition, leaf := range leaves {
		if leaf == name {
			name = definition
			break
		}
	}
	switch name {
	case "bytes":
		return "[]uint8"
	case "double":
		return "float64"
	}
	parts := strings.Split(name, ".")
	return strings.Join(parts[max(0, len(parts)-2):], ".")
}
