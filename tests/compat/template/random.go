package template

import (
	"math"
	"math/rand"
	"strings"
)

// generator writes templates: most of them parse, many fail when they run, some are damaged on purpose.
type generator struct {
	*rand.Rand
	vars []string
}

func randomCase(r *rand.Rand) *testCase {
	g := &generator{Rand: r}
	if g.Intn(4) == 0 {
		return g.formats()
	}
	c := &testCase{Execute: "main", Data: data}
	if g.Intn(4) == 0 {
		c.Missing = g.pick("error", "default")
	}
	main := g.body(3)
	if g.Intn(3) == 0 {
		main = g.damage(main)
	}
	c.Texts = append(c.Texts, [2]string{"main", main})
	if g.Intn(5) == 0 {
		c.Texts = append(c.Texts, [2]string{"other", g.body(2)})
	}
	return c
}

func (g *generator) pick(words ...string) string { return words[g.Intn(len(words))] }
func (g *generator) open() string                { return g.pick("{{", "{{ ", "{{- ", "{{\n") }
func (g *generator) close() string               { return g.pick("}}", " }}", " -}}", "\n}}") }
func (g *generator) end() string                 { return g.open() + "end" + g.close() }

func (g *generator) body(depth int) string {
	var b strings.Builder
	for i := g.Intn(4) + 1; i > 0; i-- {
		b.WriteString(g.item(depth))
	}
	return b.String()
}

// scoped forgets the variables that write declares.
func (g *generator) scoped(write func() string) string {
	outer := g.vars
	s := write()
	g.vars = outer[:len(outer):len(outer)]
	return s
}

func (g *generator) item(depth int) string {
	n := g.Intn(20)
	if depth <= 0 && n > 8 {
		n = g.Intn(9)
	}
	switch {
	case n < 2:
		return g.pick("text", " \n ", "a\tb", "\n", "  x  ", "é", "{", "}", "}}", "{{/* c */}}", "{{- /* c\n */ -}}", "\r\n")
	case n < 8:
		return g.open() + g.pipeline(3) + g.close()
	case n == 8:
		return g.variable()
	case n < 12:
		return g.scoped(func() string { return g.branch(depth) })
	case n < 16:
		return g.scoped(func() string { return g.loop(depth) })
	case n == 16:
		return g.definition(g.open()+"define "+g.pick(`"t1"`, `"t2"`, "`t3`"), depth)
	case n == 17:
		return g.open() + "template " + g.pick(`"t1"`, `"t2"`, `"t3"`, `"nope"`, `"other"`) + " " + g.pick("", ".", g.pipeline(2)) + g.close()
	case n == 18:
		return g.definition(g.open()+"block "+g.pick(`"t4" `, `"t5" `)+g.pipeline(2), depth)
	}
	return g.open() + g.pick("break", "continue", `include "t1" .`, "tpl .Values.tpl .",
		`tpl "{{ $x := 1 }}{{ . }}{{ define \"t9\" }}9{{ end }}{{ include \"t9\" . }}" .`) + g.close()
}

func (g *generator) variable() string {
	if len(g.vars) > 0 && g.Intn(2) == 0 {
		return g.open() + g.vars[g.Intn(len(g.vars))] + " = " + g.pipeline(2) + g.close()
	}
	v := g.pick("$a", "$b", "$c")
	s := g.open() + v + " := " + g.pipeline(2) + g.close()
	g.vars = append(g.vars, v)
	return s
}

func (g *generator) branch(depth int) string {
	s := g.open() + g.pick("if ", "if ", "with ") + g.pick("", "", "$w := ") + g.pipeline(2) + g.close() + g.body(depth-1)
	for g.Intn(3) == 0 {
		s += g.open() + g.pick("else if ", "else with ") + g.pipeline(2) + g.close() + g.body(depth-1)
	}
	if g.Intn(2) == 0 {
		s += g.open() + "else" + g.close() + g.body(depth-1)
	}
	return s + g.end()
}

func (g *generator) loop(depth int) string {
	head := g.pick("", "$i := ", "$i, $v := ", "$a = ", "$a, $b = ")
	if strings.Contains(head, ":=") {
		g.vars = append(g.vars, strings.Split(strings.TrimSuffix(head, " := "), ", ")...)
	}
	s := g.open() + "range " + head + g.rangeable() + g.close() + g.body(depth-1)
	if g.Intn(3) == 0 {
		s += "{{if " + g.pipeline(1) + "}}{{" + g.pick("break", "continue") + "}}{{end}}"
	}
	s += g.body(depth - 1)
	if g.Intn(3) == 0 {
		s += "{{else}}" + g.body(depth-1)
	}
	return s + g.end()
}

func (g *generator) definition(head string, depth int) string {
	outer := g.vars
	g.vars = nil
	s := head + g.close() + g.body(depth-1) + "{{end}}"
	g.vars = outer
	return s
}

func (g *generator) rangeable() string {
	if g.Intn(5) == 0 {
		return g.pipeline(2)
	}
	return g.pick(".Values.l", ".Values.m", ".Values.el", ".Values.em", "3", "0", "-1", "$.Values.l", "(list 1 2 3)", `(dict "b" 1 "a" 2)`,
		".l", ".Values.n", `(strs "q" "r")`, `(bytes "hi")`, "(int64 2)", `"abc"`, "'a'", "1.5", "nilMap", "obj", "(takesU8 3)")
}

func (g *generator) pipeline(depth int) string {
	s := g.operand(depth)
	if depth > 0 && g.Intn(2) == 0 {
		s = g.call(depth)
	}
	for g.Intn(4) == 0 {
		s += g.pick(" | ", "|") + g.call(depth-1)
	}
	return s
}

func (g *generator) call(depth int) string {
	f := g.pick("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "len", "index", "slice", "print", "println", "html", "js", "urlquery", "call",
		"printf", "printf", "printf", "list", "dict", "set", "unset", "int64", "takesInt", "takesInt64", "takesU32", "takesU8", "takesFloat",
		"takesF32", "takesStr", "takesMap", "takesList", "takesBool", "takesAny", "takesErr", "takesCplx", "takesS", "takesPS", "two", "vs", "bytes",
		"strs", "fail", "mkErr", "dur", "values", "mkFn", "obj", "mkNil", ".Values.s", "$", "nope", ".x", "obj.Hello", "(obj).Hello", "$.Values.m.k")
	n := g.Intn(4)
	switch f {
	case "printf":
		f += ` "` + g.format() + `"`
	case "eq", "ne", "lt", "le", "gt", "ge", "two":
		if g.Intn(8) > 0 {
			n = 2
		}
	}
	if strings.HasPrefix(f, "takes") {
		n = 1
	}
	for i := 0; i < n; i++ {
		f += " " + g.operand(depth-1)
	}
	return f
}

func (g *generator) format() string {
	s := ""
	for i := g.Intn(3) + 1; i > 0; i-- {
		s += g.pick("", "x", " ", "é", "%%") + "%" + g.pick("", "", "", "+", "-", "#", "0", " ", "+#", "0-", "# ", "+0") +
			g.pick("", "", "", "5", "12", "*", "[1]*", "[2]", "[9]", "1", "08", "30") +
			g.pick("", "", "", ".2", ".0", ".", ".*", ".10", ".[1]*", ".25") + g.pick("", "", "[1]", "[2]", "[x]", "[") +
			g.pick("v", "v", "v", "s", "d", "q", "x", "X", "o", "O", "b", "c", "U", "f", "F", "e", "E", "g", "G", "t", "T", "p", "w", "z", "é", "!", "")
	}
	return s
}

func (g *generator) operand(depth int) string {
	if depth > 0 && g.Intn(4) == 0 {
		return "(" + g.pipeline(depth-1) + ")" + g.pick("", "", "", ".k", ".Name", ".x.y", ".Hello", ".GetName")
	}
	if len(g.vars) > 0 && g.Intn(4) == 0 {
		return g.vars[g.Intn(len(g.vars))] + g.pick("", "", "", ".k", ".x.y")
	}
	switch g.Intn(6) {
	case 0:
		return g.pick(".", "$", ".Values", ".x", ".nope", ".nope.y", "$.Values.s", ".Values.nope.z", ".l", "$.l", "$.Values.m.mm.x", ".k", ".Values.s.x", ".Name")
	case 1, 2:
		return ".Values." + g.pick("s", "i", "f", "big", "neg", "z", "t", "n", "e", "l", "m", "el", "em", "u", "html", "million", "small", "m.k", "m.n", "m.nope", "m.mm")
	case 3:
		return g.pick("1", "0", "-1", "2", "3.5", "1e3", "1.0", "0x1F", "0b11", "0o17", "017", "1_000", "'a'", `'\n'`, "'☃'", "1e400",
			"9223372036854775807", "9223372036854775808", "18446744073709551616", "1i", "1+2i", "0x1p-2", "1e-7", "-0", "1.5e300", "123456789.123",
			"0.1", "-0.0", "+5", "1__0", "0x", "08", ".5", "5.", "1e", "1a", "1.2.3", "'ab'", "''", "100000000000000000000.5", "1e21", "0i", "2.0i")
	case 4:
		return g.pick(`"a"`, `""`, `"hello"`, "`raw`", `"\n\t\""`, `"\u00e9\x41\101"`, `"\xff"`, `"k"`, `"5"`, `"é"`, `"\q"`, `"a`, `"<b>&'"`,
			`"a b&c=d/é"`, `"\u2028\x00\x7f"`, `"%d"`)
	}
	return g.pick("true", "false", "nil", "obj", "mkNil", "nilMap", "nilList", "mkFn", "(list 1 2)", `(dict "k" 1)`, `(bytes "hi")`, `(strs "a" "b")`,
		"(dur 1500)", `(mkErr "bad")`, "(values .Values)", "(int64 5)", "(takesU8 65)", "(takesF32 1.1)", "obj.Name", "obj.Next", "obj.Nope", "obj.Any",
		"obj.Kids", "obj.Next.Name", "(obj).Age", "(list)", "(dict)", `(list nil 1 (list "x") (dict "a" nil))`, "(takesCplx 1i)")
}

func (g *generator) damage(s string) string {
	b := []byte(s)
	for i := g.Intn(3) + 1; i > 0 && len(b) > 1; i-- {
		from, to := g.Intn(len(b)), g.Intn(len(b))
		switch g.Intn(4) {
		case 0:
			b = append(b[:from], b[from+1:]...)
		case 1:
			extra := g.pick("{{", "}}", "(", ")", "|", ".", "$", `"`, "'", "`", "-", " ", ",", ":=", "=", "\n", "\xff", "é", "☃", "@", "end",
				"{{end}}", "{{else}}", "/*", "*/", "1", "nil", "define", "\x00", "%")
			b = append(b[:from], append([]byte(extra), b[from:]...)...)
		case 2:
			b = append(b[:min(from, to)], b[max(from, to):]...)
		case 3:
			b[from] = byte(g.Intn(128))
		}
	}
	return string(b)
}

// formats prints floats and strings of all kinds.
func (g *generator) formats() *testCase {
	floats, texts := []any{}, []any{}
	for i := 0; i < 20; i++ {
		f := math.Float64frombits(g.Uint64())
		switch g.Intn(6) {
		case 0:
			f = math.Float64frombits(uint64(g.Intn(2047)) << 52)
		case 1:
			f = float64(g.Intn(1000000)) / []float64{1, 10, 100, 1000, 1e6, 3}[g.Intn(6)]
		case 2:
			f = float64(g.Int63())
		case 3:
			f = float64(float32(g.NormFloat64() * math.Pow(10, float64(g.Intn(60)-30))))
		}
		if !math.IsNaN(f) && !math.IsInf(f, 0) {
			floats = append(floats, f)
		}
		text := []rune{}
		for j := g.Intn(6); j > 0; j-- {
			text = append(text, rune(g.Intn([]int{128, 0x300, 0x3000, 0xd800, 0x20000, 0x110000}[g.Intn(6)])))
		}
		texts = append(texts, string(text))
	}
	verb := g.pick("", ".3", "#", "+", "#.5", ".17", ".20", ".0", "20.3") + g.pick("e", "f", "g", "G", "x", "b", "E", "v")
	text := `{{ range .f }}{{ printf "` + g.format() + ` %v %` + verb + `" . . . . }} {{ . }};{{ end }}` +
		`{{ range .s }}{{ printf "%q %+q %x %#q %10s| %.3s" . . . . . . }} {{ html . }} {{ js . }} {{ urlquery . }}{{ end }}`
	return &testCase{Texts: [][2]string{{"main", text}}, Execute: "main", Data: map[string]any{"f": floats, "s": texts}}
}
