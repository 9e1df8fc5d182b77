package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

type openapiSchema struct {
	Properties    map[string]openapiSchema `json:"properties"`
	Required      []string                 `json:"required"`
	Default       any                      `json:"default"`
	ListType      string                   `json:"x-kubernetes-list-type"`
	ListMapKeys   []string                 `json:"x-kubernetes-list-map-keys"`
	MapType       string                   `json:"x-kubernetes-map-type"`
	PatchStrategy string                   `json:"x-kubernetes-patch-strategy"`
	PatchMergeKey string                   `json:"x-kubernetes-patch-merge-key"`
}

// The v3 documents have the defaults, which v2 leaves out.
func readOpenAPI(dir string) map[string]openapiSchema {
	all := map[string]openapiSchema{}
	files, err := filepath.Glob(filepath.Join(dir, "*_openapi.json"))
	must(err)
	for _, name := range files {
		var doc struct {
			Components struct {
				Schemas map[string]openapiSchema `json:"schemas"`
			} `json:"components"`
		}
		readJSON(name, &doc)
		for k, v := range doc.Components.Schemas {
			all[k] = v
		}
	}
	return all
}

func readJSON(name string, to any) {
	text, err := os.ReadFile(name)
	must(err)
	must(json.Unmarshal(text, to))
}

var (
	enumFunc  = regexp.MustCompile(`^func schema_(\w+)\(ref common`)
	enumField = regexp.MustCompile(`^\t{5}"(\w+)": \{$`)
	enumLine  = regexp.MustCompile(`Enum:\s+\[\]interface\{\}\{(.*)\},`)
)

// The published documents leave enums out, the generated Go code has them:
// definition name -> field -> values.
func readEnums(name string) map[string]map[string][]string {
	text, err := os.ReadFile(name)
	must(err)
	all := map[string]map[string][]string{}
	var def, fieldName string
	for _, l := range strings.Split(string(text), "\n") {
		if m := enumFunc.FindStringSubmatch(l); m != nil {
			def, fieldName = enumDefinition(m[1]), ""
		} else if m := enumField.FindStringSubmatch(l); m != nil {
			fieldName = m[1]
		} else if m := enumLine.FindStringSubmatch(l); m != nil && def != "" && fieldName != "" {
			var values []string
			for _, v := range strings.Split(m[1], ", ") {
				s, err := strconv.Unquote(v)
				must(err)
				values = append(values, s)
			}
			sort.Strings(values)
			if all[def] == nil {
				all[def] = map[string][]string{}
			}
			all[def][fieldName] = values
		}
	}
	return all
}

// k8sio_api_core_v1_PodSpec is io.k8s.api.core.v1.PodSpec.
func enumDefinition(fn string) string {
	for prefix, to := range map[string]string{
		"k8sio_":                    "io.k8s.",
		"pkg_apis_meta_":            "io.k8s.apimachinery.pkg.apis.meta.",
		"pkg_apis_apiextensions_":   "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.",
		"pkg_apis_apiregistration_": "io.k8s.kube-aggregator.pkg.apis.apiregistration.",
	} {
		if rest, ok := strings.CutPrefix(fn, prefix); ok {
			return to + strings.ReplaceAll(rest, "_", ".")
		}
	}
	return ""
}

type kind struct {
	Kind         string        `json:"kind"`
	ListKind     string        `json:"listKind,omitempty"`
	Resource     string        `json:"resource"`
	Singular     string        `json:"singular"`
	Namespaced   bool          `json:"namespaced"`
	ShortNames   []string      `json:"shortNames,omitempty"`
	Categories   []string      `json:"categories,omitempty"`
	Verbs        []string      `json:"verbs"`
	Hash         string        `json:"storageVersionHash,omitempty"`
	Schema       string        `json:"schema"`
	Subresources []subresource `json:"subresources,omitempty"`
}

type subresource struct {
	Name    string   `json:"name"`
	Group   string   `json:"group"`
	Version string   `json:"version"`
	Kind    string   `json:"kind"`
	Verbs   []string `json:"verbs"`
	Schema  string   `json:"schema"`
}

func readDiscovery(dir string, gv schema.GroupVersion) []kind {
	var doc struct {
		Resources []struct {
			Name, SingularName, Kind, Group, Version string
			Namespaced                               bool
			ShortNames, Categories, Verbs            []string
			StorageVersionHash                       string
		}
	}
	name := "apis__" + gv.Group + "__" + gv.Version + ".json"
	if gv.Group == "" {
		name = "api__" + gv.Version + ".json"
	}
	readJSON(filepath.Join(dir, name), &doc)
	var kinds []kind
	for _, d := range doc.Resources {
		resource, sub, isSub := strings.Cut(d.Name, "/")
		if !isSub {
			kinds = append(kinds, kind{Kind: d.Kind, Resource: d.Name, Singular: d.SingularName,
				Namespaced: d.Namespaced, ShortNames: d.ShortNames, Categories: d.Categories,
				Verbs: d.Verbs, Hash: d.StorageVersionHash})
			continue
		}
		s := subresource{Name: sub, Group: gv.Group, Version: gv.Version, Kind: d.Kind, Verbs: d.Verbs}
		if d.Version != "" {
			s.Group, s.Version = d.Group, d.Version
		}
		for i := range kinds {
			if kinds[i].Resource == resource {
				kinds[i].Subresources = append(kinds[i].Subresources, s)
			}
		}
	}
	return kinds
}
