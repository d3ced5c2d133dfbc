package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// Kind distinguishes the kinds of leaves, and leaves from computed nodes.
type Kind uint8

const (
	Computed Kind = iota // the result of an op
	Input                // given to every run
	Param                // changed by training, held by a store
	State                // held by a store: a momentum, a running statistic, a counter
	Const                // part of the program
)

// String returns the name of the kind.
func (k Kind) String() string {
	return [...]string{"Computed", "Input", "Param", "State", "Const"}[k]
}

// Bits is a float64 attribute of an op, stored as its bits, so that == distinguishes -0 from 0 and
// NaN equals itself.
type Bits uint64

// Float returns v as an attribute.
func Float(v float64) Bits { return Bits(math.Float64bits(v)) }

// Value returns the number.
func (b Bits) Value() float64 { return math.Float64frombits(uint64(b)) }

// String prints the number.
func (b Bits) String() string { return fmt.Sprint(b.Value()) }

// An Initializer sets the first value of a Param or State. Implementations must be comparable.
type Initializer interface {
	// Fill sets v, the elements of a value of type t in row-major order. It draws from r, whose
	// numbers depend only on the store's seed and the leaf's name.
	Fill(v []float64, t shape.Type, r *rand.Rand)
}

// Fill is an Initializer that sets every element to the same number.
type Fill float64

// Fill implements [Initializer].
func (f Fill) Fill(v []float64, _ shape.Type, _ *rand.Rand) {
	for i := range v {
		v[i] = float64(f)
	}
}

// Values holds the elements of a Const. They are shared and never change.
type Values struct{ v []float64 }

// leafOp is the op of a leaf.
type leafOp struct {
	kind   Kind
	name   string
	typ    shape.Type
	init   Initializer
	frozen bool
	values *Values
}

func (l leafOp) Name() string                           { return l.kind.String() }
func (l leafOp) Infer([]shape.Type) (shape.Type, error) { return l.typ, l.typ.Shape.Err() }

func (n *Node) leaf() leafOp {
	if n == nil {
		return leafOp{}
	}
	l, _ := n.op.(leafOp)
	return l
}

// Kind returns the kind of n. It is Computed if n is not a leaf.
func (n *Node) Kind() Kind { return n.leaf().kind }

// Init returns the initialiser of a Param or State.
func (n *Node) Init() Initializer { return n.leaf().init }

// Frozen reports whether n is a Param that is not trained.
func (n *Node) Frozen() bool { return n.leaf().frozen }

// Values returns the elements of a Const in row-major order, and nil for other nodes. They must not
// be changed.
func (n *Node) Values() []float64 {
	if v := n.leaf().values; v != nil {
		return v.v
	}
	return nil
}

// Input adds a leaf whose value is given to every run. Its shape may contain the batch size N.
func (g *Graph) Input(name string, t shape.Type) *Node {
	return g.addLeaf(leafOp{kind: Input, name: name, typ: t})
}

// Param adds a leaf that training changes. It is an error if g already has a leaf with that name:
// to share a Param, use its node more than once. A nil init means zeros.
func (g *Graph) Param(name string, t shape.Type, init Initializer) *Node {
	return g.addLeaf(leafOp{kind: Param, name: name, typ: t, init: init})
}

// FrozenParam adds a Param that [Graph.Params] leaves out, so that optimisers do not change it.
func (g *Graph) FrozenParam(name string, t shape.Type, init Initializer) *Node {
	return g.addLeaf(leafOp{kind: Param, name: name, typ: t, init: init, frozen: true})
}

// State adds a leaf that keeps its value between runs and changes only through [Graph.Update]. A
// nil init means zeros.
func (g *Graph) State(name string, t shape.Type, init Initializer) *Node {
	return g.addLeaf(leafOp{kind: State, name: name, typ: t, init: init})
}

// Const adds a fixed value. The elements are given in row-major order and copied. The type must be
// concrete. An integer type accepts only whole numbers in its range; for Bool, 0 is false.
func (g *Graph) Const(t shape.Type, values []float64) *Node {
	return g.addLeaf(leafOp{kind: Const, typ: t, values: &Values{slices.Clone(values)}})
}

func (g *Graph) addLeaf(l leafOp) *Node {
	if g == nil {
		return g.Reject(l.Name(), errNil)
	}
	n := g.add(l, nil)
	if err := g.checkLeaf(l); err != nil {
		g.Report(n, err)
		return n
	}
	n.typ = l.typ
	if l.name != "" {
		if g.leaves == nil { // if g is a zero Graph
			g.leaves = map[string]*Node{}
		}
		g.leaves[l.name] = n
	}
	return n
}

func (g *Graph) checkLeaf(l leafOp) error {
	what := fmt.Sprintf("%q", l.name)
	if l.kind == Const {
		what = l.typ.String()
	}
	if err := checkShape(l.typ.Shape); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !l.typ.Valid() {
		return fmt.Errorf("%s has no element type", what)
	}
	if l.kind != Const && l.name == "" {
		return fmt.Errorf("%v %v has no name", l.kind, l.typ)
	}
	if l.kind != Input && !l.typ.Shape.Concrete() {
		return fmt.Errorf("%s of shape %v: only an Input may depend on the batch size N", what, l.typ.Shape)
	}
	if l.init != nil && !reflect.ValueOf(l.init).Comparable() {
		return fmt.Errorf("%s: initialiser %T is not comparable", what, l.init)
	}
	if old := g.leaves[l.name]; old != nil {
		return fmt.Errorf("the name %s is taken by the %v built at %v; to share it, use that node", what, old.Kind(), old.pos)
	}
	return l.values.check(l.typ)
}

// check rejects values that t cannot represent.
func (v *Values) check(t shape.Type) error {
	if v == nil {
		return nil
	}
	if t.Len() != len(v.v) {
		return fmt.Errorf("%v has %d elements, %d values were given", t, t.Len(), len(v.v))
	}
	i := slices.IndexFunc(v.v, func(x float64) bool { return !t.Holds(x) })
	if i >= 0 && t.DType != shape.Bool {
		return fmt.Errorf("element %d is %v, which is not a valid %v", i, v.v[i], t.DType)
	}
	return nil
}
