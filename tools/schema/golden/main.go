// Command golden writes what upstream's own encoders make of filled objects: NAME.json and NAME.pb
// (with the k8s envelope) side by side, for the tests of the protobuf codec.
//
//	cd tools/schema && go run ./golden [-only KIND,KIND] FOLDER SEED...
//
// Seed 0 leaves objects empty, seed 1 fills every field, others fill fields at random.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

const maxDepth = 14

type filler struct {
	random *rand.Rand
	all    bool
	n      int
	props  int // schemas of custom resources that stand inside each other
}

func (f *filler) skip() bool { return !f.all && f.random.Intn(3) == 0 }

func (f *filler) text() string {
	f.n++
	return "text-" + strconv.Itoa(f.n)
}

// special fills the types that encode themselves.
func (f *filler) special(v reflect.Value, depth int) bool {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC).Add(time.Duration(f.n) * time.Hour)
	switch p := v.Addr().Interface().(type) {
	case *metav1.Time:
		*p = metav1.NewTime(at.Truncate(time.Second))
	case *metav1.MicroTime:
		*p = metav1.NewMicroTime(at)
	case *metav1.Duration:
		p.Duration = 90*time.Minute + 1500*time.Millisecond
	case *metav1.FieldsV1:
		p.Raw = []byte(`{"f:metadata":{"f:labels":{".":{}}}}`)
	case *runtime.RawExtension:
		p.Raw = []byte(`{"kind":"Anything","list":[1,null,true]}`)
	case *apiextensions.JSON:
		p.Raw = []byte(`{"a":[1,"b"]}`)
	case *resource.Quantity:
		*p = resource.MustParse([]string{"100m", "1536Mi", "3", "12e6", "0"}[f.n%5])
	case *intstr.IntOrString:
		*p = intstr.FromInt32(int32(f.n))
		if f.n%2 == 0 {
			*p = intstr.FromString(f.text())
		}
	case *apiextensions.JSONSchemaPropsOrBool:
		if p.Allows = true; depth < 6 {
			p.Schema = &apiextensions.JSONSchemaProps{}
			f.fill(reflect.ValueOf(p.Schema).Elem(), maxDepth-2)
		}
	case *apiextensions.JSONSchemaPropsOrArray:
		p.Schema = &apiextensions.JSONSchemaProps{Type: "string"}
	case *apiextensions.JSONSchemaPropsOrStringArray:
		p.Property = []string{"a", "b"}
	default:
		return false
	}
	f.n++
	return true
}

func (f *filler) fill(v reflect.Value, depth int) {
	if depth > maxDepth || f.special(v, depth) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[apiextensions.JSONSchemaProps]() {
			if f.props == 2 {
				return
			}
			f.props++
			defer func() { f.props-- }()
		}
		for i := 0; i < v.NumField(); i++ {
			tag := v.Type().Field(i).Tag.Get("json")
			if v.Type().Field(i).IsExported() && tag != "-" && v.Type().Field(i).Name != "TypeMeta" && !f.skip() {
				f.fill(v.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		if depth < maxDepth {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{0, 1, 255, byte(f.n)})
			return
		}
		if depth >= maxDepth {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0), depth+1)
		f.fill(v.Index(1), depth+1)
	case reflect.Map:
		if depth >= maxDepth {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for _, key := range []string{"zeta", "alpha", f.text()} {
			e := reflect.New(v.Type().Elem()).Elem()
			f.fill(e, depth+1)
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), e)
		}
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(f.n%2 == 0 || f.all)
	case reflect.Int32, reflect.Int64:
		f.n++
		v.SetInt(int64(f.n*17) - 50)
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	default:
		log.Fatalf("%v: cannot fill", v.Type())
	}
}

func write(dir string, gvk schema.GroupVersionKind, seed int64) {
	object, err := scheme.Scheme.New(gvk)
	must(err)
	if seed != 0 {
		f := filler{random: rand.New(rand.NewSource(seed)), all: seed == 1}
		f.fill(reflect.ValueOf(object).Elem(), 0)
	}
	object.GetObjectKind().SetGroupVersionKind(gvk)
	text, err := json.Marshal(object)
	must(err)
	var pb bytes.Buffer
	must(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(object, &pb))
	name := strings.ToLower(fmt.Sprintf("%s.%s.%s.%d", gvk.Kind, gvk.Version, gvk.Group, seed))
	name = strings.ReplaceAll(name, "..", ".")
	must(os.WriteFile(filepath.Join(dir, name+".json"), append(text, '\n'), 0o644))
	must(os.WriteFile(filepath.Join(dir, name+".pb"), pb.Bytes(), 0o644))
}

func main() {
	log.SetFlags(0)
	only := flag.String("only", "", "kinds, comma-separated")
	flag.Parse()
	must(apiextensions.AddToScheme(scheme.Scheme))
	must(apiregistration.AddToScheme(scheme.Scheme))
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if *only != "" && !strings.Contains(","+*only+",", ","+gvk.Kind+",") {
			continue
		}
		if gvk.Version == runtime.APIVersionInternal || (gvk.Group != "" && strings.HasSuffix(gvk.Kind, "Options")) {
			continue
		}
		object, err := scheme.Scheme.New(gvk)
		must(err)
		if _, ok := object.(interface{ MarshalTo([]byte) (int, error) }); !ok {
			continue
		}
		for _, arg := range flag.Args()[1:] {
			seed, err := strconv.ParseInt(arg, 10, 64)
			must(err)
			write(flag.Arg(0), gvk, seed)
		}
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
