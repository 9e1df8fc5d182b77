// Writes src/template/unicode_tables.h: what Go's unicode and strconv packages know of letters, digits,
// printable runes and case.
//
//	go run tools/unicode/main.go > src/template/unicode_tables.h
package main

import (
	"fmt"
	"strconv"
	"unicode"
)

const header = `/* unicode_tables.h: made by tools/unicode from Unicode %s as Go has it; not for editing. */
#pragma once
`

// list prints the elements of one table, as many a line as fit.
func list(kind, name string, elements []string) {
	fmt.Printf("\nstatic const struct %s %s[] = {", kind, name)
	width := 100
	for _, e := range elements {
		if width+len(e)+2 > 100 {
			fmt.Print("\n   ")
			width = 3
		}
		width += len(e) + 2
		fmt.Printf(" %s,", e)
	}
	fmt.Println("\n};")
}

// ranges prints the runs of runes that satisfy is.
func ranges(name string, is func(rune) bool) {
	var elements []string
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !is(r) {
			continue
		}
		first := r
		for r < unicode.MaxRune && is(r+1) {
			r++
		}
		elements = append(elements, fmt.Sprintf("{0x%x, 0x%x}", first, r))
	}
	list("rune_range", name, elements)
}

// mapping prints the runs of runes that to moves by the same distance; step 2 stands for
// alternating pairs, of which every second rune moves.
func mapping(name string, to func(rune) rune) {
	var elements []string
	for r := rune(0); r <= unicode.MaxRune; r++ {
		delta := to(r) - r
		if delta == 0 {
			continue
		}
		first, last, step := r, r, rune(1)
		if to(r+1)-(r+1) != delta && to(r+2)-(r+2) == delta {
			step = 2
		}
		for to(last+step)-(last+step) == delta && (step == 1 || to(last+1) == last+1) {
			last += step
		}
		elements = append(elements, fmt.Sprintf("{0x%x, 0x%x, %d, %d}", first, last, delta, step))
		r = last
	}
	list("rune_shift", name, elements)
}

func main() {
	fmt.Printf(header, unicode.Version)
	ranges("letters", unicode.IsLetter)
	ranges("digits", unicode.IsDigit)
	ranges("printable", strconv.IsPrint)
	ranges("upper_case", unicode.IsUpper)
	ranges("lower_case", unicode.IsLower)
	mapping("to_upper", unicode.ToUpper)
	mapping("to_lower", unicode.ToLower)
	mapping("to_title", unicode.ToTitle)
}
