package ref

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/internal/allocs"
	"github.com/plexaura/plexaura/shape"
)

var dtypes = []shape.DType{shape.Float32, shape.Float64, shape.Int32, shape.Int64, shape.Uint8, shape.Bool}

// tensorOf holds a value whose elements are found by index, the slow and obvious way.
type tensorOf struct {
	shape.Type
	v []float64
}

func counting(t shape.Type) tensorOf {
	v := make([]float64, t.Len())
	for i := range v {
		v[i] = float64(i + 1)
		if t.DType == shape.Bool {
			v[i] = float64((i*i + i) / 2 % 2)
		}
	}
	return tensorOf{t, v}
}

func (x tensorOf) at(index []int) *float64 {
	flat := 0
	for i, n := range x.Ints() {
		flat = flat*n + index[i]
	}
	return &x.v[flat]
}

// each calls f with every index of a shape.
func each(s shape.Shape, f func(index []int)) {
	var walk func(prefix []int)
	walk = func(prefix []int) {
		if len(prefix) == s.Rank() {
			f(prefix)
			return
		}
		for i := range s.Int(len(prefix)) {
			walk(append(prefix[:len(prefix):len(prefix)], i))
		}
	}
	walk(nil)
}

// compute runs a bound kernel on memory that holds garbage.
func compute(t *testing.T, out shape.Type, bind func(in []engine.Operand, out engine.Operand) (engine.Bound, error), in ...tensorOf) ([]float64, error) {
	t.Helper()
	types, bufs := make([]shape.Type, len(in)), make([]engine.Buffer, len(in))
	for i, x := range in {
		types[i] = x.Type
		bufs[i] = engine.BufferAt(engine.Aligned(x.Bytes()), x.DType, x.Len())
		engine.Load(bufs[i], x.v)
	}
	b, err := bind(engine.InRows(types...), engine.InRow(out))
	require.NoError(t, err)
	require.Equal(t, "ref", b.By)
	mem := engine.Aligned(out.Bytes())
	for i := range mem {
		mem[i] = 1
	}
	c := engine.Call{
		Out:     []engine.Buffer{engine.BufferAt(mem, out.DType, out.Len())},
		In:      bufs,
		Scratch: engine.BufferOf(engine.Aligned(b.Scratch)),
	}
	err = b.Kernel(&c)
	if err == nil {
		require.Zero(t, allocs.PerRun(3, func() { _ = b.Kernel(&c) }), "the kernel allocates")
	}
	return engine.Floats(c.Out[0]), err
}

func perms(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, p := range perms(n - 1) {
		for i := range n {
			q := append(append(append([]int(nil), p[:i]...), n-1), p[i:]...)
			all = append(all, q)
		}
	}
	return all
}

func TestTransposeMovesEveryElementOfEveryType(t *testing.T) {
	shapes := []shape.Shape{shape.Of(), shape.Of(4), shape.Of(2, 3), shape.Of(2, 1, 3), shape.Of(2, 3, 4, 2), shape.Of(2, 0, 3)}
	for _, s := range shapes {
		for i, p := range perms(s.Rank()) {
			x := counting(shape.Type{DType: dtypes[i%len(dtypes)], Shape: s})
			var perm engine.Perm
			out := x.Type
			for k, a := range p {
				perm[k] = uint8(a)
				out.Shape = out.With(k, s.Dim(a))
			}
			want := counting(out)
			each(out.Shape, func(index []int) {
				from := make([]int, len(index))
				for k, a := range p {
					from[a] = index[k]
				}
				*want.at(index) = *x.at(from)
			})
			got, err := compute(t, out, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return Engine{}.BindTranspose(perm, in, out)
			}, x)
			require.NoError(t, err)
			require.Equal(t, want.v, got, "%v by %v", x.Type, p)
		}
	}
}

// randomWindow returns a window into a whole of shape s, and the shape of its part.
func randomWindow(r *rand.Rand, s shape.Shape) (w engine.Window, part shape.Shape) {
	part = s
	for i, n := range s.Ints() {
		w.Start[i] = r.IntN(n)
		w.Step[i] = 1 + r.IntN(3)
		room := (n - 1 - w.Start[i]) / w.Step[i]
		if r.IntN(2) == 0 {
			room = w.Start[i] / w.Step[i]
			w.Step[i] = -w.Step[i]
		}
		part = part.With(i, shape.Dim(r.IntN(room+2))) // may be empty
	}
	return w, part
}

func TestSliceAndEmbedFollowTheirWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 300 {
		s := shape.Of()
		for i := range r.IntN(5) {
			s = s.Insert(i, shape.Dim(1+r.IntN(5)))
		}
		w, part := randomWindow(r, s)
		whole := counting(shape.Type{DType: dtypes[trial%len(dtypes)], Shape: s})
		cut := counting(whole.Of(part))
		embedded := counting(whole.Type)
		clear(embedded.v)
		each(part, func(index []int) {
			at := make([]int, len(index))
			for i := range at {
				at[i] = w.Start[i] + index[i]*w.Step[i]
			}
			*cut.at(index) = *whole.at(at)
			*embedded.at(at) = *cut.at(index)
		})
		got, err := compute(t, cut.Type, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return Engine{}.BindSlice(w, in, out)
		}, whole)
		require.NoError(t, err)
		require.Equal(t, cut.v, got, "slice %v of %v by %v", part, whole.Type, w)
		got, err = compute(t, whole.Type, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return Engine{}.BindEmbed(w, in, out)
		}, cut)
		require.NoError(t, err)
		require.Equal(t, embedded.v, got, "embed %v in %v by %v", part, whole.Type, w)
	}
}

func TestConcatJoinsAlongAnyAxis(t *testing.T) {
	for axis := range 3 {
		for _, d := range dtypes {
			out := shape.Make(d, 2, 3, 2).Of(shape.Of(2, 3, 2).With(axis, 6))
			want := counting(out)
			var in []tensorOf
			start := 0
			for _, n := range []int{1, 0, 3, 2} {
				x := counting(out.Of(out.With(axis, shape.Dim(n))))
				each(x.Shape, func(index []int) {
					at := append([]int(nil), index...)
					at[axis] += start
					*want.at(at) = *x.at(index)
				})
				in, start = append(in, x), start+n
			}
			got, err := compute(t, out, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return Engine{}.BindConcat(axis, in, out)
			}, in...)
			require.NoError(t, err)
			require.Equal(t, want.v, got, "axis %d of %v", axis, d)
		}
	}
}

func TestOneHotMarksTheIDAndRefusesOthers(t *testing.T) {
	bind := func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return Engine{}.BindOneHot(in, out)
	}
	for _, ids := range []shape.DType{shape.Int32, shape.Int64, shape.Uint8} {
		for _, d := range dtypes {
			x := tensorOf{shape.Make(ids, 2, 2), []float64{2, 0, 1, 2}}
			got, err := compute(t, shape.Make(d, 2, 2, 3), bind, x)
			require.NoError(t, err)
			require.Equal(t, []float64{0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}, got)
		}
		_, err := compute(t, shape.F32(3, 3), bind, tensorOf{shape.Make(ids, 3), []float64{0, 3, 1}})
		require.EqualError(t, err, "id 3, element 1, is not one of the 3 classes 0..2")
	}
	_, err := compute(t, shape.F32(1, 3), bind, tensorOf{shape.I64(1), []float64{-1}})
	require.ErrorContains(t, err, "id -1, element 0")
	_, err = Engine{}.BindOneHot(engine.InRows(shape.F32(2)), engine.InRow(shape.F32(2, 3)))
	require.ErrorContains(t, err, "engine ref has no OneHot kernel")
}

// The rows of numpy.pad's documentation, and its results for [1 2 3 4].
func TestPadModesEqualNumPys(t *testing.T) {
	for mode, want := range [][]float64{
		engine.PadConstant:  {9, 9, 9, 1, 2, 3, 4, 9, 9},
		engine.PadEdge:      {1, 1, 1, 1, 2, 3, 4, 4, 4},
		engine.PadReflect:   {4, 3, 2, 1, 2, 3, 4, 3, 2},
		engine.PadSymmetric: {3, 2, 1, 1, 2, 3, 4, 4, 3},
	} {
		p := engine.Padding{Mode: engine.PadMode(mode), Before: [shape.MaxRank]int{3}, After: [shape.MaxRank]int{2}, Value: math.Float64bits(9)}
		for _, d := range []shape.DType{shape.Float32, shape.Float64, shape.Int32, shape.Int64, shape.Uint8} {
			got, err := compute(t, shape.Make(d, 9), func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
				return Engine{}.BindPad(p, in, out)
			}, counting(shape.Make(d, 4)))
			require.NoError(t, err)
			require.Equal(t, want, got, "%v of %v", p.Mode, d)
		}
	}
}

// Padding of several axes is padding of one after the other, and PadGrad sends back to each
// element what its copies were given.
func TestPadAndItsAdjointOverSeveralAxes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for trial := range 200 {
		rank := r.IntN(4)
		p := engine.Padding{Mode: engine.PadMode(trial % 4)}
		x, padded := shape.Of(), shape.Of()
		for i := range rank {
			n := 1 + r.IntN(4)
			reach := n
			if p.Mode == engine.PadReflect {
				reach = n - 1
			}
			p.Before[i], p.After[i] = r.IntN(reach+1), r.IntN(reach+1)
			x = x.Insert(i, shape.Dim(n))
			padded = padded.Insert(i, shape.Dim(p.Before[i]+n+p.After[i]))
		}
		in := counting(shape.Type{DType: shape.Float64, Shape: x})
		dy := counting(in.Of(padded))
		want, dx := counting(in.Of(padded)), counting(in.Type)
		clear(dx.v)
		each(padded, func(index []int) {
			from := make([]int, rank)
			for i := range from {
				line := counting(shape.F64(x.Dim(i)))
				one := engine.Padding{Mode: p.Mode, Before: [shape.MaxRank]int{p.Before[i]}, After: [shape.MaxRank]int{p.After[i]}}
				places, err := compute(t, shape.F64(padded.Dim(i)), func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
					return Engine{}.BindPad(one, in, out)
				}, line)
				require.NoError(t, err)
				from[i] = int(places[index[i]]) - 1
				if from[i] < 0 {
					*want.at(index) = 0
					return
				}
			}
			*want.at(index) = *in.at(from)
			*dx.at(from) += *dy.at(index)
		})
		got, err := compute(t, want.Type, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return Engine{}.BindPad(p, in, out)
		}, in)
		require.NoError(t, err)
		require.Equal(t, want.v, got, fmt.Sprint(p, in.Type))
		got, err = compute(t, in.Type, func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
			return Engine{}.BindPadGrad(p, in, out)
		}, dy)
		require.NoError(t, err)
		require.Equal(t, dx.v, got, fmt.Sprint(p, in.Type))
	}
}

// In float32 the small ones would be lost, one after the other.
func TestPadGradSumsInFloat64(t *testing.T) {
	const reach = 1 << 10
	p := engine.Padding{Mode: engine.PadEdge}
	p.After[0] = reach
	dy := make([]float64, 1+reach)
	dy[0] = 1
	for i := range reach {
		dy[1+i] = 0x1p-25
	}
	dx, err := compute(t, shape.F32(1), func(in []engine.Operand, out engine.Operand) (engine.Bound, error) {
		return Engine{}.BindPadGrad(p, in, out)
	}, tensorOf{shape.F32(1 + reach), dy})
	require.NoError(t, err)
	require.Equal(t, []float64{1 + 0x1p-15}, dx)
}
