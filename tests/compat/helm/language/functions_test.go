package language

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// signatures says what every function that answers the same each time takes, a letter an argument (see argument); a '*' behind a letter
// repeats it. What prints a map's keys as they come is sorted.
var signatures = map[string]string{
	"abbrev": "is", "abbrevboth": "iis", "trunc": "is", "trim": "s", "upper": "s", "lower": "s", "title": "s", "untitle": "s", "substr": "iis",
	"repeat": "is", "trimall": "ss", "trimAll": "ss", "trimSuffix": "ss", "trimPrefix": "ss", "nospace": "s", "initials": "s", "swapcase": "s",
	"snakecase": "s", "camelcase": "s", "kebabcase": "s", "wrap": "is", "wrapWith": "iss", "contains": "ss", "hasPrefix": "ss", "hasSuffix": "ss",
	"quote": "v*", "squote": "v*", "cat": "v*", "indent": "is", "nindent": "is", "replace": "sss", "plural": "ssi", "sha1sum": "s", "sha256sum": "s",
	"sha512sum": "s", "adler32sum": "s", "toString": "v", "atoi": "N", "int64": "n", "int": "n", "float64": "n", "seq": "i*", "toDecimal": "n",
	"split": "ss", "splitList": "ss", "splitn": "sis", "toStrings": "l", "until": "i", "untilStep": "iii", "add1": "n", "add": "n*", "sub": "nn",
	"div": "nn", "mod": "nn", "mul": "nn*", "add1f": "n", "addf": "n*", "subf": "nn*", "divf": "nn*", "mulf": "nn*", "biggest": "nn*", "max": "nn*",
	"min": "nn*", "maxf": "nn*", "minf": "nn*", "ceil": "n", "floor": "n", "round": "ni", "join": "sl", "sortAlpha": "l", "default": "vv",
	"empty": "v", "coalesce": "v*", "all": "v*", "any": "v*", "compact": "l", "mustCompact": "l", "fromJson": "j", "toJson": "v",
	"toPrettyJson": "v", "toRawJson": "v", "mustFromJson": "j", "mustToJson": "v", "mustToPrettyJson": "v", "mustToRawJson": "v",
	"ternary": "vvb", "deepCopy": "v", "mustDeepCopy": "v", "typeOf": "v", "typeIs": "Tv", "typeIsLike": "Tv", "kindOf": "v", "kindIs": "Tv",
	"deepEqual": "vv", "base": "p", "dir": "p", "clean": "p", "ext": "p", "isAbs": "p", "osBase": "p", "osClean": "p", "osDir": "p", "osExt": "p",
	"osIsAbs": "p", "b64enc": "s", "b64dec": "e", "b32enc": "s", "b32dec": "e", "tuple": "v*", "list": "v*", "dict": "kvkv", "get": "dk",
	"set": "dkv", "unset": "dk", "hasKey": "dk", "pluck": "kd*", "keys": "d*", "pick": "dk*", "omit": "dk*", "merge": "dd*", "mergeOverwrite": "dd*",
	"mustMerge": "dd*", "mustMergeOverwrite": "dd*", "append": "lv", "push": "lv", "mustAppend": "lv", "mustPush": "lv", "prepend": "lv",
	"mustPrepend": "lv", "first": "l", "mustFirst": "l", "rest": "l", "mustRest": "l", "last": "l", "mustLast": "l", "initial": "l",
	"mustInitial": "l", "reverse": "l", "mustReverse": "l", "uniq": "l", "mustUniq": "l", "without": "lv*", "mustWithout": "lv*", "has": "vl",
	"mustHas": "vl", "slice": "li*", "mustSlice": "li*", "concat": "l*", "dig": "kkvd", "chunk": "il", "mustChunk": "il", "semver": "V",
	"semverCompare": "CV", "regexMatch": "Rs", "mustRegexMatch": "Rs", "regexFindAll": "Rsi", "mustRegexFindAll": "Rsi", "regexFind": "Rs",
	"mustRegexFind": "Rs", "regexReplaceAll": "Rss", "mustRegexReplaceAll": "Rss", "regexReplaceAllLiteral": "Rss",
	"mustRegexReplaceAllLiteral": "Rss", "regexSplit": "Rsi", "mustRegexSplit": "Rsi", "regexQuoteMeta": "s", "urlParse": "u", "urlJoin": "U",
	"toYaml": "v", "toYamlPretty": "v", "fromYaml": "y", "fromYamlArray": "y", "fromJsonArray": "j", "toToml": "d", "fromToml": "t",
	"required": "sv", "fail": "s", "date": "LD", "dateInZone": "LDZ", "date_in_zone": "LDZ", "htmlDate": "D", "htmlDateInZone": "DZ",
	"dateModify": "ED", "date_modify": "ED", "mustDateModify": "ED", "must_date_modify": "ED", "duration": "m", "durationRound": "M",
	"toDate": "LX", "mustToDate": "LX", "unixEpoch": "D", "printf": "Fv*", "print": "v*", "index": "lv*", "len": "v", "eq": "vv", "lt": "nn",
	"html": "s", "urlquery": "s", "js": "s", "tpl": "xv", "decryptAES": "ss", "hello": "",
}

var names = func() (list []string) {
	for name := range signatures {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}()

var chartValues = map[string]any{
	"i": 3, "f": 2.5, "big": 1e30, "s": "text", "n": nil, "b": true, "l": []any{3, "a", nil, map[string]any{"k": "v"}, 1.5},
	"m": map[string]any{"a": 1, "b": map[string]any{"c": []any{"x"}}, "n": nil, "é": "☃"}, "el": []any{}, "em": map[string]any{}, "million": 1000000,
}

type callGenerator struct {
	*rand.Rand
	plain bool
}

func (g *callGenerator) pick(words ...string) string { return words[g.Intn(len(words))] }

// join writes up to n pieces behind one another.
func (g *callGenerator) join(n int, pieces ...string) (s string) {
	for i := g.Intn(n + 1); i > 0; i-- {
		s += g.pick(pieces...)
	}
	return s
}

// text is any; texts for regular expressions are UTF-8, as RE2 matches no others.
func (g *callGenerator) text() string {
	if g.plain {
		return strings.ToValidUTF8(g.bytes(), "�")
	}
	return g.bytes()
}

func (g *callGenerator) bytes() string {
	switch g.Intn(4) {
	case 0:
		return g.join(6, "a", "B", "é", "É", "☃", "ß", "ǆ", "𝄞", " ", "_", "-", "1", "\xff", "\t", "\n", "İ", "ı", "ſ", "Σ", "\u00a0", "e\u0301", "\u200b", "\x00", "'", "\"", "\\", "$1", "%", "<", "&")
	case 1:
		return g.join(5, "hello", "World", "fooBar", "HTTPServer", " ", "  ", "-", "_", ".", ",", "/", "x1", "42", "URL", "\n", "a.b.c", "ÀÉ", "${1}", "日本")
	case 2:
		return g.pick("", "a", "foo bar", "foo\nbar\nbaz", "a,b,,c", "true", "0", "null", "1.5", "a/b/c", "FOO_BAR-baz", "the quick brown fox jumps", "\r\n", "yes", "~", "k: v", "[1]", "{}", "# x", "2024-01-02", "0x1f", "1e3")
	}
	b := make([]byte, g.Intn(6))
	for i := range b {
		b[i] = byte(g.Intn(256))
	}
	return string(b)
}

func (g *callGenerator) number() string {
	return g.pick("0", "1", "-1", "2", "7", "10", "-7", "3.7", "-2.5", "0.5", "1e3", "1.0", "0.1", "1e21", "1e-7", "123456789", "9223372036854775807", "-9223372036854775808", "9223372036854775806.5",
		"4294967296", "1e300", "(int64 5)", "(float64 2)", ".Values.i", ".Values.f", ".Values.big", ".Values.million", `"3"`, `"-3"`, `"1.5"`, `"0x1F"`, `"010"`, `"0o17"`, `"0b11"`, `"1_000"`, `"abc"`, `""`, `" 1"`, `"1e3"`,
		`"+5"`, `".5"`, `"5."`, `"NaN"`, `"Inf"`, `"-inf"`, `"1e400"`, `"9223372036854775808"`, "true", "false", "nil", `"08"`, `"0"`, `"-0"`, "0.3", "2.675", "1.005", "-0.5", "1e15", "'a'", `"true"`, "100.25", `(duration "90")`, `"0.1"`)
}

// version is one, or nearly.
func (g *callGenerator) version() string {
	n := func() string {
		return g.pick("0", "1", "2", "3", "10", "19", "01", "1.2", "", "99999999999999999999", "x", "*")
	}
	s := g.pick("", "", "", "v", "V", "=") + g.pick("1", "1", "0", "2", n())
	for i := g.Intn(4); i > 0; i-- {
		s += "." + g.pick("0", "1", "2", "5", n())
	}
	return s + g.pick("", "", "", "-alpha", "-alpha.1", "-alpha.beta", "-1", "-01", "-rc.1", "-", "-a..b", "-gke.4", "-0", "-é") + g.pick("", "", "", "", "+b", "+b.1", "+", "+01", "+a_b") + g.pick("", "", "", "", "", " ", "\n")
}

func (g *callGenerator) constraint() string {
	one := func() string {
		return g.pick("", "", "=", "!=", ">", "<", ">=", "<=", "=>", "=<", "~", "~>", "^", "==", ">> ", "!") + g.pick("", "", " ") + g.pick(g.version(), g.version(), "*", "1.x", "1.2.x", "x", "X", "1.*.2", "0.0", "0", "0.0.3")
	}
	s := one()
	for i := g.Intn(3); i > 0; i-- {
		s += g.pick(", ", ",", " ", " || ", "||", " - ", " | ", "  ", "-") + one()
	}
	return s
}

func (g *callGenerator) regex() string {
	return g.pick("", "", "", "^", "(?i)", "(?s)", "(?m)", "(?U)") + g.join(4, "a", "b", "é", ".", "[a-z]", "[^a]", "\\d", "\\w+", "\\s*", "(a|b)", "(?P<n>o+)", "(?:x)", "a+", "a*?", "b{1,2}", "o{2}", "\\b", "$", "[[:alpha:]]", "\\pL",
		"\\p{Greek}", "(", ")", "[", "]", "*", "\\", "a{1001}", "\\Qx.y\\E", "|", "()", "(a*)*", "\\x41", "\\x{1F600}", "[é-ü]", "(?", "\\z", "\\A", "\\C", "(?P<n", "\\8", "x**", "[z-a]", "a{,2}", "[^\\D]", "\\PN") + g.pick("", "", "", "", "", "\xff")
}

func (g *callGenerator) document() string {
	return g.pick("", "a: 1", "a: {b: [1, 2.5, x]}", "[1,2]", `{"a":1,"b":[true,null,"x"]}`, "- a\n- b", "a: b: c", "a:\n  - 1\n - 2", "\t", "{", "[", `"x"`, "1", "null", "true", "~", "a: &x 1\nb: *x", "a: *y", "a: 1\na: 2", "<<: {a: 1}\nb: 2",
		"a: |\n  x\n  y\n", "a: >-\n  x\n  y", "a: 0x1F\nb: 0o17\nc: 010\nd: 1_000", "a: 2024-01-02", "a: .inf\nb: .nan", "1: a", "true: a", "null: a", "? [a]\n: b", "a: !!str 1", "a: !!binary aGk=", "--- \na: 1\n---\nb: 2", "a: 'x''y'", `a: "\u00e9\n"`,
		`{"a":1} x`, `{"a":}`, `{"a" 1}`, `[1,]`, `{"a":-0}`, `{"\ud800":"\udc00"}`, "\"a\x01\"", `nul`, `[1 2]`, "é: ☃", "a: yes\nb: on\nc: no", "a: 1e3\nb: 1.\nc: .5\nd: +1\ne: 12e03", "a: ''\nb: \"\"\nc:", "%YAML 1.1\n---\na: 1", "a: [", "a: \"x", "@a", "`", "a: - b", "x: %a",
		"[{},{\"a\":[]}]", `{"a":{"b":{}}}`, " {\"a\" : 1 } ", "a: 12345678901234567890\nb: 123456789012345678901234567890", "a: 1.0\nb: 100000000000000000000.0", "a #c\n", "a: b #c", "\ufeffa: 1", "- - a\n  - b\n- c: d\n  e: f", g.text(), g.text())
}

func (g *callGenerator) toml() string {
	return g.pick("", "a = 1", "a = \"x\"\nb = 1.5\n[t]\nc = true", "[[x]]\na=1\n[[x]]\na=2", "a = [1, 2]\nb = {c = 1}", "a.b.c = 1", "a = 1979-05-27T07:32:00Z", "a = 1979-05-27", "a = 07:32:00", "a = 1979-05-27T07:32:00.5-07:00", "a = 0x1F\nb=0o7\nc=0b1", "a = inf\nb = -nan", "a = '''x\ny'''", "a = \"\"\"\nx\\\n  y\"\"\"",
		"a = 1\na = 2", "a", "a =", "= 1", "[a", "[a]\n[a]", "a = 1 b = 2", "a = \"\\q\"", "a = \"x", "a = [1,", "a = {", "a = 01", "a = 1_000", "a = 1__0", "a = 1.", "a = .5", "a = tru", "'a b' = 1", "\"é\" = 1", "é = 1", "# c", "a = 1 # c", "a = [1, \"x\", [2]]", "a = {b = 1, b = 2}", "[a.b]\nc=1\n[a]\nd=2", "[a]\nb.c=1\n[a.b]\nd=1", "a = \"\\u00e9\\e\\x41\"", "a = 9223372036854775808",
		"a = {\n b = 1,\n}", "a = 1e3\nb = -1E-2", "a = +1", "\x00", "a = \"\x01\"", "a = \"\xff\"", "[]", "[[a]", "a = 2024-13-01", "a = 25:00:00", "a = 12:30", "[a]\n[[a]]", "a=[]\n[[a]]", "a = 1\r\nb = 2", "a = 1\rb = 2")
}

func (g *callGenerator) layout() string {
	return g.pick("2006-01-02", "2006-01-02T15:04:05Z07:00", "Mon Jan _2 15:04:05 MST 2006", "02 Jan 06 15:04 -0700", "3:04PM", "Monday, January 2", "15h4m5s", ".000", ",999", "002 __2", "pm", "05.000000", "05.999", "Z0700", "Z07", "-07:00:00", "", "x", "é☃", "2006", "06", "1/2", "Jan 2006", "04:05.00 PM",
		g.join(5, "2006", "01", "Jan", "January", "02", "2", "_2", "15", "03", "3", "04", "4", "05", "5", "PM", "pm", "MST", "-0700", "Z07:00", "Mon", "Monday", ".000", ".999", " ", "-", ":", "x", "002", "1", "__2"))
}

func (g *callGenerator) moment() string {
	return g.pick("2024-01-02", "2024-02-30", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05+02:00", "Tue Jan  2 03:04:05 UTC 2024", "3:04PM", "02 Jan 24 15:04 +0100", "13:00", "", "x", "2024", "24", "1/2", "Feb 2024", "2024-01-02 ", "0000-01-01", "9999-12-31", "2024-1-2", "2024-01-02T03:04:05.123456789Z")
}

func (g *callGenerator) url() string {
	return g.pick("http", "https", "", "a+b", "1x", "mailto", "é") + g.pick("://", "://", ":", "", "//", ":/") + g.pick("", "", "u@", "u:p@", "u:p:q@", "u%40:%zz@", ":@") + g.pick("host", "h.example.com", "[::1]", "[::1", "h:80", "h:", "h:x", "", "é.com", "h%20x", "[fe80::1%25en0]", "h h", "<h>", "1.2.3.4:99999") +
		g.pick("", "/", "/a/b", "/a%20b", "/a b", "/%zz", "/é", "//x", "/a%2Fb", "/../x", "*", "/\x7f", "/;a=b", "/[x]") + g.pick("", "", "?", "?a=b&c=d", "?é", "?a b", "?%zz", "?a;b") + g.pick("", "", "", "#", "#f", "#é", "#a b", "#%zz", "#a%2fb")
}

func (g *callGenerator) list(depth int) string {
	if g.Intn(4) == 0 {
		return g.pick(".Values.l", ".Values.el", "(list)", `(splitList "," "a,b,,a")`, "(until 4)", `(list "b" "a" "c" "a")`, "(list 1 2 2 1)", "(list nil 0 false)", `(tuple "x")`, ".Values.m.b.c", `(regexFindAll "a|b" "abab" -1)`, `(fromYamlArray "[1,a,null]")`, `(chunk 2 (list 1 2 3))`)
	}
	s := "(list"
	for i := g.Intn(5); i > 0; i-- {
		s += " " + g.argument('v', depth-1)
	}
	return s + ")"
}

func (g *callGenerator) dict(depth int) string {
	if g.Intn(4) == 0 {
		return g.pick(".Values.m", ".Values.em", "(dict)", `(fromJson "{\"a\":{\"b\":1},\"c\":[1]}")`, ".Values", ".Values.m.b", `(dict "a" (dict "b" 1))`, `(dict "a" (dict "b" 2 "c" nil) "z" "")`, `(split "," "a,b")`, `(fromToml "a = 1\n[b]\nc = [1]")`)
	}
	s := "(dict"
	for i := g.Intn(4); i > 0; i-- {
		s += " " + g.argument('k', depth-1) + " " + g.argument('v', depth-1)
	}
	return s + ")"
}

func (g *callGenerator) formatted() string {
	s := ""
	for i := g.Intn(3); i >= 0; i-- {
		s += g.pick("", "x", "é") + "%" + g.pick("", "", "+", "-", "#", "0", " ") + g.pick("", "", "5", "12", "*") + g.pick("", "", ".2", ".0") + g.pick("v", "s", "d", "q", "x", "X", "f", "g", "e", "t", "T", "c", "U", "b", "%")
	}
	return s
}

func quoted(s string) string { return strconv.Quote(s) }

func (g *callGenerator) any(depth int) string {
	switch g.Intn(9) {
	case 0, 1:
		return quoted(g.text())
	case 2, 3:
		return g.number()
	case 4:
		return g.pick("nil", "true", "false", `""`, "0", ".Values.nope", ".Values.n", ".Values.s", ".Values.b", ".Values.l", ".Values.m", ".Values.em", ".Values.el", `(semver "1.2.3-a+b")`, `(duration 61)`, `(toDate "2006-01-02" "2024-01-02")`, `(urlParse "http://a/b")`, "'x'", "(index .Values.l 0)")
	}
	if depth <= 0 {
		return quoted(g.text())
	}
	switch g.Intn(3) {
	case 0:
		return g.list(depth)
	case 1:
		return g.dict(depth)
	}
	return "(" + g.call(depth-1) + ")"
}

func (g *callGenerator) argument(kind byte, depth int) string {
	if g.Intn(20) == 0 && !strings.ContainsRune("iDmMExt", rune(kind)) {
		return g.any(depth)
	}
	switch kind {
	case 's':
		return quoted(g.text())
	case 'k':
		return quoted(g.pick("a", "b", "c", "k", "n", "é", "", "a b", "1", "a.b", "Zz", "10", "9", "a-b", "☃", g.join(3, "foo", "Bar", ".", "/", "_", "-", "7", "07")))
	case 'i':
		return g.pick("0", "1", "2", "3", "4", "5", "8", "12", "-1", "-2", "20", "7", `(int "3")`, "(int64 2)", ".Values.i", `"2"`, "1.5", "2.0", "nil")
	case 'n':
		return g.number()
	case 'N':
		return quoted(g.pick("1", "-1", "+1", "", "x", "010", "0x1", "9223372036854775807", "9223372036854775808", "1.5", " 1", "1_0"))
	case 'l':
		return g.list(depth)
	case 'd':
		return g.dict(depth)
	case 'b':
		return g.pick("true", "false", "(empty 0)", "1", "nil")
	case 'T':
		return quoted(g.pick("string", "int", "int64", "float64", "slice", "map", "bool", "nil", "<nil>", "[]interface {}", "map[string]interface {}", "invalid", "*x", "ptr", "struct", "time.Time", "[]string", "interface"))
	case 'p':
		return quoted(g.join(6, "/", "a", "..", ".", "b.c", "/", "é", "//", ".x", "\\", "a.tar.gz", " ", "\x00"))
	case 'e':
		return quoted(g.pick("aGk=", "aGk", "aG k=", "aGk\n=", "====", "", "TEST====", "NBUQ====", "nbuq====", "NBUQ", "YQ==", "YR==", "_-==", "/+==", "ME======", "MF======", "é", g.text()))
	case 'j':
		return quoted(g.document())
	case 'y':
		return quoted(g.document())
	case 't':
		return quoted(g.toml())
	case 'V':
		return quoted(g.version())
	case 'C':
		return quoted(g.constraint())
	case 'R':
		return quoted(g.regex())
	case 'u':
		return quoted(g.url())
	case 'U':
		if g.Intn(2) == 0 {
			return "(urlParse " + quoted(g.url()) + ")"
		}
		return fmt.Sprintf(`(dict "scheme" %q "host" %q "path" %q "query" %q "fragment" %q "userinfo" %q)`, g.pick("http", "", "é"), g.pick("h", "h:80", "", "é", "a b", "[::1]"),
			g.pick("/a", "", "a", "/a b", "/é%", "//x", "/a:b", "a:b"), g.pick("", "a=b", "é", "a b"), g.pick("", "f", "é", "a b"), g.pick("", "u", "u:p", "u@:p/", "é:", "u:p:q"))
	case 'L':
		return quoted(g.layout())
	case 'X':
		return quoted(g.moment())
	case 'D':
		return g.pick("1700000000", "0", "-1", "(int64 1700000000)", "253402300799", "-62135596801", `(toDate "2006-01-02" "2024-02-29")`, `(toDate "2006-01-02T15:04:05Z07:00" "2024-01-02T03:04:05.125+02:00")`, `(toDate "2006" "x")`, `(toDate "15:04" "13:14")`,
			`(toDate "2006-01-02 MST" "2024-07-01 CEST")`, `(dateModify "-1.5h" (toDate "2006-01-02" "2024-03-01"))`, "951782400", "1000000000")
	case 'Z':
		return quoted(g.pick("UTC", "", "Europe/Berlin", "America/New_York", "Nope/Zone", "Local", "Asia/Kolkata", "../x", "/etc", "utc", "EST", "Asia/Kathmandu"))
	case 'E':
		return quoted(g.pick("1h", "-1.5h", "24h30m", "+10s", "1d", "", "x", "0", "1", "1ms", "1us", "1µs", "1ns", "-", ".5s", "1.s", "9223372036854775807ns", "9999999h", "1h-1m", "é"))
	case 'm':
		return g.pick(quoted(g.pick("1", "90", "-90", "3600", "0", "", "x", "1.5", "99999999999")), "95", "-5", "0", "(int64 100)", "1.5", "nil", "true")
	case 'M':
		return g.pick(quoted(g.pick("2h10m5s", "2400h10m5s", "1ms", "0", "", "x", "-3h", "100000h", "1h", "59s", "1m1s", "8760h")), "(int64 1000000000)", "(int64 99999999999999999)", "1.5", "nil", "(duration 95)")
	case 'F':
		return quoted(g.formatted())
	case 'x':
		return quoted(g.pick("{{ . }}", "{{ .a }}", "x", "", "{{", "{{ nope }}", `{{ fail "x" }}`, "{{ len . }}", "{{ . | quote }}", `{{ define "q" }}y{{ end }}{{ include "q" . }}`, "{{ .a.b }}"))
	}
	return g.any(depth)
}

func (g *callGenerator) call(depth int) string {
	name := names[g.Intn(len(names))]
	if only := os.Getenv("SPRIG_ONLY"); only != "" && depth == 2 {
		name = g.pick(strings.Split(only, ",")...)
	}
	s, signature := name, signatures[name]
	outer := g.plain
	g.plain = outer || strings.Contains(strings.ToLower(name), "regex")
	defer func() { g.plain = outer }()
	for i := 0; i < len(signature); i++ {
		n := 1
		if i+1 < len(signature) && signature[i+1] == '*' {
			n = g.Intn(4)
		}
		for ; n > 0; n-- {
			s += " " + g.argument(signature[i], depth)
		}
		if i+1 < len(signature) && signature[i+1] == '*' {
			i++
		}
	}
	if g.Intn(200) == 0 {
		s += " 1"
	}
	if name == "keys" {
		s += " | sortAlpha"
	}
	return s
}

func (g *callGenerator) template() string {
	return "{{ " + g.call(2) + g.pick("", "", "", " | toJson", " | quote", " | typeOf", " | toYaml", ` | printf "%v"`, " | len") + " }}"
}

// rendered is what Helm's engine makes of one template; ok is false when it panics.
func rendered(text string, values map[string]any) (out, failure string, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	c := &chart.Chart{Metadata: &chart.Metadata{Name: "c"}, Templates: []*chart.File{{Name: "t", Data: []byte(text)}}}
	files, err := engine.Render(c, chartutil.Values{"Values": chartutil.Values(values)})
	if err != nil {
		return "", err.Error(), true
	}
	return files["c/t"], "", true
}

// shown is our output and error as Helm's engine hands them on.
func shown(out, failure string) (string, string) {
	if parts := strings.SplitN(failure, "HELM_ERR_START", 2); len(parts) == 2 {
		if message := strings.SplitN(parts[1], "HELM_ERR_END", 2); len(message) == 2 {
			place := strings.SplitN(strings.TrimPrefix(failure, "template: "), ": ", 2)[0]
			return "", fmt.Sprintf("execution error at (%s): %s", place, message[0])
		}
	}
	if failure != "" {
		return "", failure
	}
	return strings.ReplaceAll(out, "<no value>", ""), ""
}

var mutates = regexp.MustCompile(`\b(set|([mM]ust)?[mM]erge\w*)\b`)

// differs says whether a template is one of those that are known to give something else, or to end upstream's process.
func differs(text string) bool {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	opaque := has("semver", "toDate", "dateModify", "fromToml") // structs whose fields are their own
	switch {
	case mutates.MatchString(text) && strings.Count(text, ".Values") > 1: // a map that holds itself
		return true
	case mutates.MatchString(text) && (opaque || has("split ")): // what mergo cannot look into, or not set
		return true
	case has("semver") && has("eepCopy", "ithout", "as ", "niq", "deepEqual"): // copied to 0.0.0, and equal by what is inside
		return true
	case opaque && strings.Contains(strings.ReplaceAll(text, `| printf "%v"`, ""), "printf"): // shows the fields
		return true
	case has("1e400") && has("Json"): // numbers that do not fit are left out, the rest of the document is not
		return true
	}
	return has("toYamlPretty") && has(`\x`) // bytes of no UTF-8 are !!binary, folded
}

func TestFunctions(t *testing.T) {
	os.Setenv("TZ", "UTC")
	ours := startRunner(t, "FUNCTIONS_RUN", "functions/functions_run")
	coded, err := json.Marshal(chartValues)
	if err != nil {
		t.Fatal(err)
	}
	random(t, "SPRIG_SECONDS", func(r *rand.Rand) bool {
		text := (&callGenerator{Rand: r}).template()
		if differs(text) {
			return true
		}
		var values map[string]any
		if err := json.Unmarshal(coded, &values); err != nil {
			t.Fatal(err)
		}
		want, wantErr, ok := rendered(text, values)
		if !ok || strings.HasPrefix(wantErr, "parse error") || strings.Contains(wantErr, "runtime error: makeslice") {
			return true
		}
		out, failure := shown(ours.ask(map[string]any{"t": hex.EncodeToString([]byte(text)), "d": chartValues}))
		if wantErr == "" && strings.Contains(failure, "slice index out of bounds") {
			return true // how much room Go left behind a list
		}
		if out == want && failure == wantErr {
			return true
		}
		t.Errorf("%s\n output %.600q\n   want %.600q\n  error %q\n   want %q", text, out, want, failure, wantErr)
		return false
	})
}
