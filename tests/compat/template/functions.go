package template

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// S is a struct with methods; tests/unit/template/functions.c has the same one, and the same functions.
type S struct {
	Name string
	Age  int
	Any  any
	Kids []string
	Next *S
}

func (s *S) Hello(a string) string { return "hello " + a + " " + s.Name }
func (s *S) GetName() string       { return s.Name }

type valuesMap map[string]any

func same1[T any](v T) T { return v }

var functions = template.FuncMap{
	"list":  func(a ...any) []any { return append([]any{}, a...) },
	"strs":  func(a ...string) []string { return append([]string{}, a...) },
	"dict":  dict,
	"set":   func(m map[string]any, k string, v any) map[string]any { m[k] = v; return m },
	"unset": func(m map[string]any, k string) map[string]any { delete(m, k); return m },
	"int64": func(i int) int64 { return int64(i) },
	"bytes": func(s string) []byte { return []byte(s) },

	"takesInt": same1[int], "takesInt64": same1[int64], "takesU32": same1[uint32], "takesU8": same1[uint8],
	"takesFloat": same1[float64], "takesF32": same1[float32], "takesCplx": same1[complex128],
	"takesStr": same1[string], "takesBool": same1[bool], "takesMap": same1[map[string]any], "takesList": same1[[]any],
	"takesAny": same1[any], "takesErr": same1[error], "takesS": same1[S], "takesPS": same1[*S],

	"two":     func(a, b string) string { return a + "," + b },
	"vs":      func(a string, b ...string) string { return strings.Join(append([]string{a}, b...), ",") },
	"fail":    func(s string) (string, error) { return "", errors.New(s) },
	"mkNil":   func() any { return nil },
	"nilMap":  func() map[string]any { return nil },
	"nilList": func() []any { return nil },
	"mkErr":   func(s string) any { return errors.New(s) },
	"mkFn":    func() any { return func(i int) int { return i + 1 } },
	"dur":     func(i int64) time.Duration { return time.Duration(i) },
	"obj":     func() *S { return &S{Name: "bob", Age: 7} },
	"values":  func(m map[string]any) any { return valuesMap(m) },
}

func dict(a ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(a); i += 2 {
		m[fmt.Sprint(a[i])] = a[i+1]
	}
	return m
}

// nesting is Helm's include and tpl: the first counts how often a name includes itself, the second parses in a clone.
func nesting(t *template.Template, depth map[string]int, missing string) template.FuncMap {
	include := func(name string, data any) (string, error) {
		if depth[name] > 1000 {
			return "", fmt.Errorf("rendering template has a nested reference name: %s: unable to execute template", name)
		}
		var b strings.Builder
		depth[name]++
		err := t.ExecuteTemplate(&b, name, data)
		depth[name]--
		return b.String(), err
	}
	tpl := func(text string, data any) (string, error) {
		clone, err := t.Clone()
		if err != nil {
			return "", err
		}
		clone.Option(missing).Funcs(nesting(clone, depth, missing))
		inner, err := clone.New(t.Name()).Parse(text)
		if err != nil {
			return "", fmt.Errorf("cannot parse template %q: %w", text, err)
		}
		var b strings.Builder
		if err := inner.Execute(&b, data); err != nil {
			return "", fmt.Errorf("error during tpl function execution for %q: %w", text, err)
		}
		return strings.ReplaceAll(b.String(), "<no value>", ""), nil
	}
	return template.FuncMap{"include": include, "tpl": tpl}
}

var data = map[string]any{
	"x": "X",
	"l": []any{"c", "b", "a"},
	"Values": map[string]any{
		"s": "str", "e": "", "u": "héllo ☃ \U0001F600", "html": "<a href='x'>&\"=\\", "tpl": "{{ .Values.s }}-{{ .nope }}",
		"i": 3, "f": 1.5, "big": 1e30, "neg": -7, "z": 0, "million": 1000000, "small": 0.000001, "t": true, "n": nil,
		"l": []any{1, "a", nil, map[string]any{"k": "v"}, []any{1, 2}}, "el": []any{},
		"m": map[string]any{"k": "v", "a": 1, "n": nil, "mm": map[string]any{"x": 1}}, "em": map[string]any{},
	},
}
