package gorgonia

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/shape"
)

// custom is our own op for gorgonia, where it has none that is right. It implements G.SDOp, and
// never shares memory with its inputs.
type custom struct {
	name  string // identifies it, together with the shapes
	dtype tensor.Dtype
	in    []tensor.Shape
	out   tensor.Shape
	f32   kernel[float32]
	f64   kernel[float64]

	// grad gives the adjoints, nil for inputs that have none; nil where no input has one.
	grad func(in G.Nodes, dy *G.Node) (G.Nodes, error)
	by   []bool // inputs that have adjoints
}

type kernel[T shape.Float] func(out []T, in [][]T) error

// newCustom returns an op without a gradient.
func newCustom(name string, out []int, f32 kernel[float32], f64 kernel[float64], in ...*G.Node) custom {
	op := custom{name: name, dtype: in[0].Dtype(), out: out, f32: f32, f64: f64, by: make([]bool, len(in))}
	for _, x := range in {
		op.in = append(op.in, x.Shape())
	}
	return op
}

// derived gives op a gradient with respect to the inputs that by marks.
func (op custom) derived(by []bool, grad func(in G.Nodes, dy *G.Node) (G.Nodes, error)) custom {
	op.by, op.grad = by, grad
	return op
}

// unique returns a name that no other op has.
func (l *lowering) unique(name string) string {
	l.customs++
	return fmt.Sprint(name, " ", l.customs)
}

// viewOp copies x in the given shape.
func (l *lowering) viewOp(x *G.Node, dims []int) custom {
	return l.through(newCustom("view", dims, copied[float32], copied[float64], x))
}

// privateOp is a viewOp that no other is equal to.
func (l *lowering) privateOp(x *G.Node, dims []int) custom {
	return l.through(newCustom(l.unique("private"), dims, copied[float32], copied[float64], x))
}

// through gives op, which changes the shape at most, its gradient: a copy again, since
// gorgonia may add to adjoints in place, and since it may have dropped axes of extent 1.
func (l *lowering) through(op custom) custom {
	return op.derived([]bool{true}, func(in G.Nodes, dy *G.Node) (G.Nodes, error) {
		dx, err := G.ApplyOp(l.privateOp(dy, in[0].Shape()), dy)
		return G.Nodes{dx}, err
	})
}

func copied[T shape.Float](out []T, in [][]T) error {
	copy(out, in[0])
	return nil
}

// poolableOp copies the input of a max pooling. The library's kernel starts from the lowest number;
// a window without a greater one, such as one with only NaN, makes its gradient end the process.
func (l *lowering) poolableOp(x *G.Node) custom {
	return l.through(newCustom("poolable", x.Shape(), poolable[float32](-math.MaxFloat32), poolable[float64](-math.MaxFloat64), x))
}

func poolable[T shape.Float](lowest T) kernel[T] {
	return func(out []T, in [][]T) error {
		for i, v := range in[0] {
			if !(v > lowest) {
				return fmt.Errorf("element %d of the input is %v; gorgonia can only pool numbers above %v", i, v, lowest)
			}
		}
		return copied(out, in)
	}
}

// whereOp takes a where cond is not 0, and b elsewhere; all have one shape. A product with
// the condition would not do: 0 times infinity is no number.
func whereOp(cond, a, b *G.Node) custom {
	op := newCustom("where", a.Shape(), where[float32], where[float64], cond, a, b)
	return op.derived([]bool{false, true, true}, func(in G.Nodes, dy *G.Node) (G.Nodes, error) {
		da, err := G.ApplyOp(newCustom("where true", dy.Shape(), whereTrue[float32], whereTrue[float64], in[0], dy), in[0], dy)
		if err != nil {
			return nil, err
		}
		db, err := G.ApplyOp(newCustom("where false", dy.Shape(), whereFalse[float32], whereFalse[float64], in[0], dy), in[0], dy)
		return G.Nodes{nil, da, db}, err
	})
}

func where[T shape.Float](out []T, in [][]T) error {
	for i, c := range in[0] {
		out[i] = in[2][i]
		if c != 0 {
			out[i] = in[1][i]
		}
	}
	return nil
}

func whereTrue[T shape.Float](out []T, in [][]T) error {
	for i, c := range in[0] {
		if c != 0 {
			out[i] = in[1][i]
		}
	}
	return nil
}

func whereFalse[T shape.Float](out []T, in [][]T) error {
	for i, c := range in[0] {
		if c == 0 {
			out[i] = in[1][i]
		}
	}
	return nil
}

// erfOp is the error function, which gorgonia has not got.
func (l *lowering) erfOp(x *G.Node) custom {
	op := newCustom("erf", x.Shape(), errorFunction[float32], errorFunction[float64], x)
	return op.derived([]bool{true}, func(in G.Nodes, dy *G.Node) (G.Nodes, error) {
		dx, err := G.ApplyOp(newCustom(l.unique("erf slope"), dy.Shape(), erfSlope[float32], erfSlope[float64], in[0], dy), in[0], dy)
		return G.Nodes{dx}, err
	})
}

func errorFunction[T shape.Float](out []T, in [][]T) error {
	for i, x := range in[0] {
		out[i] = T(math.Erf(float64(x)))
	}
	return nil
}

func erfSlope[T shape.Float](out []T, in [][]T) error {
	for i, x := range in[0] {
		v := float64(x)
		out[i] = in[1][i] * T(2/math.Sqrt(math.Pi)*math.Exp(-v*v))
	}
	return nil
}

// Do runs the kernel on values of the machine.
func (op custom) Do(in ...G.Value) (G.Value, error) {
	if op.dtype == tensor.Float32 {
		return do(op.f32, op.out, in)
	}
	return do(op.f64, op.out, in)
}

func do[T shape.Float](k kernel[T], dims []int, in []G.Value) (G.Value, error) {
	args := make([][]T, len(in))
	for i, v := range in {
		args[i] = numbers[T](v)
	}
	out := make([]T, size(dims))
	if err := guarded(k, out, args); err != nil {
		return nil, err
	}
	return valueOf(dims, out), nil
}

// guarded returns a panic of k as an error: the machine runs in a goroutine of its own, whose panic
// would end the process.
func guarded[T shape.Float](k kernel[T], out []T, in [][]T) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return k(out, in)
}

// SymDiff gives the adjoints of the inputs.
func (op custom) SymDiff(in G.Nodes, _, dy *G.Node) (G.Nodes, error) {
	if op.grad == nil {
		return nil, fmt.Errorf("%s has no gradient", op.name)
	}
	return op.grad(in, dy)
}

// DiffWRT reports which inputs have adjoints.
func (op custom) DiffWRT(int) []bool { return op.by }

// Arity is the number of inputs.
func (op custom) Arity() int { return len(op.in) }

// Type is the function's type: ranks and element type.
func (op custom) Type() hm.Type {
	types := make([]hm.Type, 0, len(op.in)+1)
	for _, s := range append(op.in[:len(op.in):len(op.in)], op.out) {
		if len(s) == 0 {
			types = append(types, op.dtype)
			continue
		}
		types = append(types, G.TensorType{Dims: len(s), Of: op.dtype})
	}
	return hm.NewFnType(types...)
}

// InferShape returns the result's shape.
func (op custom) InferShape(...G.DimSizer) (tensor.Shape, error) { return op.out.Clone(), nil }

// ReturnsPtr is false: the result is always new memory.
func (custom) ReturnsPtr() bool { return false }

// CallsExtern is false.
func (custom) CallsExtern() bool { return false }

// OverwritesInput is -1: it overwrites none.
func (custom) OverwritesInput() int { return -1 }

// String names the op and its shapes.
func (op custom) String() string {
	return fmt.Sprintf("plexaura %s %v %v", op.name, op.in, []int(op.out))
}

// WriteHash writes what identifies op.
func (op custom) WriteHash(h hash.Hash) { fmt.Fprint(h, op.String()) }

// Hashcode hashes what WriteHash writes.
func (op custom) Hashcode() uint32 {
	h := fnv.New32a()
	op.WriteHash(h)
	return h.Sum32()
}
