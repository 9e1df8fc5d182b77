package language

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/rand"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/strvals"
)

// setting is one flag: its way of reading ("typed", "string", "json", "literal") and its text.
type setting struct{ way, text string }

func (s setting) upstream(into map[string]any) error {
	switch s.way {
	case "typed":
		return strvals.ParseInto(s.text, into)
	case "string":
		return strvals.ParseIntoString(s.text, into)
	case "json":
		return strvals.ParseJSON(s.text, into)
	}
	return strvals.ParseLiteralInto(s.text, into)
}

// apply sets one after the other, as a command line does; ok is false when Helm's package panics.
func apply(settings []setting) (values, failure string, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	m := map[string]any{}
	for _, s := range settings {
		if err := s.upstream(m); err != nil {
			failure = err.Error()
			break
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(m) != nil {
		return "", "", false
	}
	return strings.TrimSuffix(b.String(), "\n"), failure, true
}

func canonical(text string) string {
	var v any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&v) != nil {
		return text
	}
	b, _ := json.Marshal(v)
	return string(b)
}

type settingsGenerator struct {
	*rand.Rand
	way string
}

func (g *settingsGenerator) key(depth int) string {
	k := pick(g.Rand, "a", "b", "a", "b", "c", "long-key", "é", "☃", "a\\.b", "a\\,b", "\\=", "\\[", "", " ", "a b", "0", "null", "\xff", "k\\", "\"", "\\é")
	for depth > 0 && g.Intn(2) == 0 {
		depth--
		switch g.Intn(3) {
		case 0:
			k += "[" + g.index() + "]"
		default:
			k += "." + g.key(0)
		}
	}
	if g.Intn(60) == 0 {
		k += strings.Repeat(pick(g.Rand, ".x", "[0]", ".x[1]"), g.Intn(40))
	}
	return k
}

func (g *settingsGenerator) index() string {
	if g.Intn(5) > 0 {
		return pick(g.Rand, "0", "1", "2", "3")
	}
	if g.Intn(200) == 0 {
		return pick(g.Rand, "65536", "65535")
	}
	return pick(g.Rand, "-1", "-0", "+1", "+", "-", "", "a", " 1", "1 ", "01", "007", "0x1", "1_0", "1.0", "65537", "99999999999999999999", "-99999999999999999999",
		"é", "\\1", "1\\]", "[0", "\xff", "-9223372036854775808", "9223372036854775807", "\x00", "\"")
}

func (g *settingsGenerator) value(depth int) string {
	if g.way == "json" && g.Intn(8) > 0 {
		return pick(g.Rand, "", " ", "\t", "  ", "\u00a0") + g.json(depth) + pick(g.Rand, "", " ", " \n", "\u2003")
	}
	if depth > 0 && g.Intn(5) == 0 {
		items := []string{}
		for i := g.Intn(5); i > 0; i-- {
			items = append(items, g.value(depth-1))
		}
		return "{" + strings.Join(items, pick(g.Rand, ",", ",", ", ")) + pick(g.Rand, "}", "}", "}", "}", "", "},", "}x")
	}
	return pick(g.Rand, "1", "0", "-1", "-0", "+1", "+0", "01", "-01", "1.5", "1e3", "true", "false", "null", "True", "FALSE", "Null", "nUll", "tRue", "~", "yes", "", " ", "text",
		"a b", "é☃", "\\,", "a\\,b", "\\{a", "{", "}", "[", "]", "\\", "\\\\", "a=b", "=", "==", ".", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "0x10", "1_000", "--1", "+-1", "\xff\xfe", "\x00", "\"q\"", "'q'", "a\nb", "nu\\ll", "\u212a", "fal\u017fe", "tru\u00e9", "{a}b", "<&>", "\u2028", "0\\0", "0 ")
}

func (g *settingsGenerator) json(depth int) string {
	n := g.Intn(12)
	switch {
	case depth > 0 && n < 2:
		items := []string{}
		for i := g.Intn(4); i > 0; i-- {
			items = append(items, g.json(depth-1))
		}
		return "[" + strings.Join(items, pick(g.Rand, ",", ", ", " ,", ",\n")) + pick(g.Rand, "]", "]", "]", "]", "]", "", ",]", "}")
	case depth > 0 && n < 4:
		items := []string{}
		for i := g.Intn(4); i > 0; i-- {
			items = append(items, pick(g.Rand, `"a"`, `"b"`, `"a"`, `"é"`, `""`, `"\u0061"`, `"<"`, "a", "1", `"a`)+pick(g.Rand, ":", ": ", " :", ":", ":", "=", "")+g.json(depth-1))
		}
		return "{" + strings.Join(items, pick(g.Rand, ",", ", ")) + pick(g.Rand, "}", "}", "}", "}", "}", "", ",}", "]")
	}
	return pick(g.Rand, "1", "0", "-1", "-0", "1.5", "1e3", "1E+2", "1e-2", "1e21", "1e400", "-1e400", "0.000001", "1e-7", "123456789012345678901234567890", "9007199254740993", "01", "1.", ".5", "1e", "+1", "-",
		"- 1", "0x1", "true", "false", "null", "True", "nul", "nulll", "tru", "truefalse", `"text"`, `"é☃"`, `"\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00x"`, `"a\nb"`, "\"a\nb\"", `"\q"`, `"\u00g0"`,
		`"a,b"`, `"a`, `"\"`, `""`, "'a'", "a", "é", "\"\xff\"", "\xff", "\x00", `"<&>"`, "\"\u2028\"", "[]", "{}", "[", "{", "]", "}", ",", ":", `"a""b"`, "1 2", "1,2", "[1]2", "[[1],[2]]", `"\/"`, "/", "\"\x7f\"", "\"\t\"", "\ufeff1", "1\u00a0")
}

func (g *settingsGenerator) text() string {
	parts := []string{}
	for i := 1 + g.Intn(3); i > 0; i-- {
		parts = append(parts, g.key(3)+pick(g.Rand, "=", "=", "=", "=", "=", "=", "=", "", "==", " = ", ".", "[")+g.value(2))
	}
	text := strings.Join(parts, pick(g.Rand, ",", ",", ",", ",", ", ", ",,", "")) + pick(g.Rand, "", "", "", "", "", "", ",", "\\", ".", "=", "[", " ")
	for g.Intn(4) == 0 && len(text) > 0 {
		at := g.Intn(len(text))
		switch g.Intn(3) {
		case 0:
			text = text[:at] + text[at+1:]
		case 1:
			text = text[:at] + pick(g.Rand, "[", "]", "{", "}", ".", ",", "=", "\\", "[0]", "é", "\xe2", "\"", " ", "0", "-", "\n", "null") + text[at:]
		case 2:
			text = text[at:] + text[:at]
		}
	}
	return text
}

func TestSettings(t *testing.T) {
	ours := startRunner(t, "STRVALS_RUN", "chart/strvals_run")
	random(t, "STRVALS_SECONDS", func(r *rand.Rand) bool {
		settings, question := []setting{}, [][2]string{}
		for i := 1 + r.Intn(3); i > 0; i-- {
			way := pick(r, "typed", "typed", "string", "json", "json", "literal")
			s := setting{way, (&settingsGenerator{r, way}).text()}
			settings = append(settings, s)
			question = append(question, [2]string{s.way, hex.EncodeToString([]byte(s.text))})
		}
		want, wantErr, ok := apply(settings)
		if !ok {
			return true
		}
		values, failure := ours.ask(question)
		if failure == wantErr && (values == want || canonical(values) == canonical(want)) {
			return true
		}
		t.Errorf("%q\n values %.400s\n   want %.400s\n  error %q\n   want %q", settings, values, want, failure, wantErr)
		return false
	})
}
