package cpu

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// TestOperandsThatSpreadAgreeWithRef: biases, rows, columns and others, of lengths about those where
// blocks end with them, by functions that take constants and by others, alone and beside one that
// spreads in another way.
func TestOperandsThatSpreadAgreeWithRef(t *testing.T) {
	in, res := engine.In, engine.Res
	step := func(d shape.DType, fn engine.Fn, args ...engine.Arg) (s engine.Step) {
		s = engine.Step{Fn: fn, DType: d}
		copy(s.Args[:], args)
		return s
	}
	maps := func(d shape.DType) map[string][]engine.Step {
		return map[string][]engine.Step{
			"x+a":       {step(d, engine.Add, in(0), in(1))},
			"a-x":       {step(d, engine.Sub, in(1), in(0))},
			"x-a":       {step(d, engine.Sub, in(0), in(1))},
			"(x-a)*b":   {step(d, engine.Sub, in(0), in(1)), step(d, engine.Mul, res(0), in(2))},
			"a*b+x":     {step(d, engine.Mul, in(1), in(2)), step(d, engine.Add, res(0), in(0))},
			"2a+x":      {step(d, engine.Mul, in(1), engine.Imm(2)), step(d, engine.Add, res(0), in(0))},
			"max(x, a)": {step(d, engine.Max, in(0), in(1))},
			"x>a ? x:b": {step(shape.Bool, engine.Gt, in(0), in(1)), step(d, engine.Select, res(0), in(0), in(2))},
		}
	}
	for _, to := range [][]int{{3, 5, 7, 9}, {2, 3, 14, 14}, {2, 2, 33, 32}, {2, 7, 5, 300}, {1, 2, 64, 64}, {7, 2, 1, 1100}, {3, 1, 2, 64}} {
		n, c, h, w := to[0], to[1], to[2], to[3]
		spread := []shape.Shape{shape.OfInts(c, 1, 1), shape.OfInts(w), shape.OfInts(n, c, h, 1), shape.OfInts(1), shape.OfInts(n, 1, 1, w), shape.OfInts(c, h, w), shape.OfInts(n, 1, h, w), shape.OfInts(h, 1)}
		for i, a := range spread {
			b := spread[(i+3)%len(spread)]
			for _, d := range []shape.DType{shape.Float32, shape.Float64} {
				types := []shape.Type{{DType: d, Shape: shape.OfInts(to...)}, {DType: d, Shape: a}, {DType: d, Shape: b}}
				for name, steps := range maps(d) {
					m := engine.Map{Steps: steps, Outs: []int{len(steps) - 1}}
					requireAsRef(t, fmt.Sprintf("%s of %v", name, types), m, types)
				}
			}
		}
	}
}

// TestNumbersAgreeWithRef: steps that take numbers on one side or on both, as a multiple and what it is added to, and
// that take none as they are.
func TestNumbersAgreeWithRef(t *testing.T) {
	in, res, imm := engine.In, engine.Res, engine.Imm
	for _, d := range []shape.DType{shape.Float32, shape.Float64} {
		step := func(fn engine.Fn, args ...engine.Arg) (s engine.Step) {
			s = engine.Step{Fn: fn, DType: d}
			copy(s.Args[:], args)
			return s
		}
		for name, steps := range map[string][]engine.Step{
			"2x":           {step(engine.Mul, in(0), imm(2))},
			"3-x":          {step(engine.Sub, imm(3), in(0))},
			"(2+3)x":       {step(engine.Add, imm(2), imm(3)), step(engine.Mul, res(0), in(0))},
			"(2-3)+x":      {step(engine.Sub, imm(2), imm(3)), step(engine.Add, in(0), res(0))},
			"2x+3":         {step(engine.Mul, in(0), imm(2)), step(engine.Add, res(0), imm(3))},
			"3-2x":         {step(engine.Mul, imm(2), in(0)), step(engine.Sub, imm(3), res(0))},
			"(x+4)^2":      {step(engine.Add, in(0), imm(4)), step(engine.Pow, res(0), imm(2))},
			"2^3 x":        {step(engine.Pow, imm(2), imm(3)), step(engine.Mul, res(0), in(0))},
			"x mod 3":      {step(engine.Rem, in(0), imm(3))},
			"max(2x+3, 4)": {step(engine.Mul, in(0), imm(2)), step(engine.Add, res(0), imm(3)), step(engine.Max, res(1), imm(4))},
		} {
			for _, n := range []int{1, 1000, 5000} {
				types := []shape.Type{{DType: d, Shape: shape.OfInts(n)}}
				requireAsRef(t, fmt.Sprintf("%s of %v", name, types), engine.Map{Steps: steps, Outs: []int{len(steps) - 1}}, types)
			}
		}
	}
}

func requireAsRef(t *testing.T, name string, m engine.Map, types []shape.Type) {
	var bufs []engine.Buffer
	for p, typ := range types {
		b := newBuffer(typ)
		v := make([]float64, typ.Len())
		for i := range v {
			v[i] = float64((7919*i+131*p)%1009)/512 - 1
		}
		engine.Load(b, v)
		bufs = append(bufs, b)
	}
	bind := func(e engine.Mapper) func() (engine.Bound, error) {
		return func() (engine.Bound, error) { return e.BindMap(m, engine.InRows(types...), engine.InRows(types[0])) }
	}
	want := engine.Floats(run(t, bind(ref.Engine{}), bufs, types[0]))
	for _, l := range isa.Levels() {
		got := engine.Floats(run(t, bind(New(AtLevel(l))), bufs, types[0]))
		require.Equal(t, want, got, "%s at %v", name, l)
	}
}
