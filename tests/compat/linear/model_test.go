package linear

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// What a client asked of one object, and what it was told.
type kind int

const (
	opCreate kind = iota
	opGet
	opUpdate  // with the resourceVersion it expects
	opReplace // without
	opPatch
	opDelete
)

var kindNames = []string{"create", "get", "update", "replace", "patch", "delete"}

type input struct {
	kind   kind
	key    string
	value  string // unique among all writes
	expect int64
}

type outcome int

const (
	unknown outcome = iota // no answer: it happened once, some time, or never
	done
	missing // 404
	unsent  // nobody listened
	refused // 409: it is there already, or not of that version
)

type output struct {
	outcome outcome
	value   string // of get
	version int64
}

// One object as the model has it.
type state struct {
	exists  bool
	value   string
	version int64 // 0: of a write whose answer was lost
}

func (s state) is(version int64) bool {
	return s.version == version || s.version == 0
}

// later: what the state is after a write that was told this version, and whether it may have been.
func (s state) later(value string, version int64) (bool, state) {
	return version > s.version || version == 0, state{true, value, version}
}

func step(s state, in input, out output) (bool, state) {
	if out.outcome == unknown {
		return stepUnknown(s, in)
	}
	switch in.kind {
	case opCreate:
		if out.outcome == refused {
			return s.exists, s
		}
		if s.exists || out.outcome != done {
			return false, s
		}
		return s.later(in.value, out.version)
	case opGet:
		if out.outcome == missing {
			return !s.exists, s
		}
		return s.exists && s.value == out.value && s.is(out.version), state{true, out.value, out.version}
	case opUpdate, opReplace, opPatch:
		if out.outcome == missing {
			return !s.exists, s
		}
		if out.outcome == refused {
			return in.kind == opUpdate && s.exists && (s.version != in.expect || s.version == 0), s
		}
		if !s.exists || in.kind == opUpdate && !s.is(in.expect) {
			return false, s
		}
		return s.later(in.value, out.version)
	case opDelete:
		if out.outcome == missing {
			return !s.exists, s
		}
		return s.exists && out.outcome == done, state{version: s.version}
	}
	return false, s
}

func stepUnknown(s state, in input) (bool, state) {
	switch in.kind {
	case opCreate:
		if !s.exists {
			return true, state{true, in.value, 0}
		}
	case opUpdate:
		if s.exists && s.is(in.expect) {
			return true, state{true, in.value, 0}
		}
	case opReplace, opPatch:
		if s.exists {
			return true, state{true, in.value, 0}
		}
	case opDelete:
		return true, state{version: s.version}
	}
	return true, s
}

var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(input).key
			keys[key] = append(keys[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range keys {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) {
		ok, next := step(s.(state), in.(input), out.(output))
		return ok, next
	},
	DescribeOperation: func(in, out any) string {
		i, o := in.(input), out.(output)
		return fmt.Sprintf("%s(%s %s @%d) -> %d %s @%d", kindNames[i.kind], i.key, i.value, i.expect, o.outcome, o.value, o.version)
	},
}
