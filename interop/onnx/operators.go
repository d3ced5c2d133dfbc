package onnx

import (
	"fmt"
	"maps"
	"slices"
)

// An operator is an operator of the standard from one version of its domain on.
type operator struct {
	since    int64
	min, max int // how many inputs it takes; max is -1 for any number
	// direct operators are evaluated on values of any kind, even if all are known: they pass values
	// on, or make known ones.
	direct bool
	eval   func(*call) []*value
	// extents, if not nil, evaluates it on integers of which some depend on N. It returns nil if it
	// cannot.
	extents func(*call) []*value
}

func (op *operator) arity() string {
	switch {
	case op.max < 0:
		return fmt.Sprintf("at least %d", op.min)
	case op.min == op.max:
		return fmt.Sprint(op.min)
	}
	return fmt.Sprintf("%d to %d", op.min, op.max)
}

// A family has the operators of the standard domain by name, the oldest version first.
type family map[string][]operator

// catalogue has the operators of all domains, by domain and name.
type catalogue map[string]family

// operators returns the catalogue. It is a function because operators that evaluate graphs refer to
// it.
func operators() catalogue {
	standard := family{}
	for _, f := range []family{
		mathOperators, activationOperators, logicOperators, castOperators, reduceOperators, normOperators, matmulOperators,
		convOperators, poolOperators, moveOperators, indexOperators, shapeOperators, lossOperators, attentionOperators,
		selectOperators, sequenceOperators, stringOperators, bitOperators, resizeOperators, scatterOperators, recurrentOperators, quantiseOperators,
		controlOperators(), signalOperators, patchOperators,
	} {
		for name, rows := range f {
			if _, twice := standard[name]; twice {
				panic("onnx: two families have the operator " + name)
			}
			standard[name] = rows
		}
	}
	return catalogue{"": standard, "ai.onnx.preview": previewOperators(), "ai.onnx.ml": classicOperators, "com.microsoft": microsoftOperators}
}

// domain returns a domain by its short name: that of the standard is empty.
func domain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// find returns the operator as version has it, or nil.
func (c catalogue) find(d, name string, version int64) *operator {
	rows := c[domain(d)][name]
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].since <= version {
			return &rows[i]
		}
	}
	return nil
}

// Operators returns the names of the operators of the standard that can be imported, in alphabetical
// order.
func Operators() []string { return slices.Sorted(maps.Keys(operators()[""])) }

// always is a family's row for one operator: eval from version 1 on, with the given number of inputs.
func always(min, max int, eval func(*call) []*value) []operator {
	return []operator{{since: 1, min: min, max: max, eval: eval}}
}

// direct is always for an operator that is evaluated on values of any kind.
func direct(min, max int, eval func(*call) []*value) []operator {
	return []operator{{since: 1, min: min, max: max, eval: eval, direct: true}}
}

// withExtents is always for an operator that also computes extents.
func withExtents(min, max int, eval, extents func(*call) []*value) []operator {
	return []operator{{since: 1, min: min, max: max, eval: eval, extents: extents}}
}
