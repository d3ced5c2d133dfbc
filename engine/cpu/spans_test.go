package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/shape"
)

// storedTypes have elements of every width.
var storedTypes = []shape.DType{shape.Uint8, shape.BFloat16, shape.Int32, shape.Float32, shape.Float64}

// counted is a tensor of different numbers.
func counted(typ shape.Type) engine.Buffer {
	b, v := newBuffer(typ), make([]float64, typ.Len())
	for i := range v {
		v[i] = float64((7919*i + 131) % 251)
	}
	engine.Load(b, v)
	return b
}

// requireSameMove holds the moves of every level to the bits of ref.
func requireSameMove(t *testing.T, bind func(e engine.Engine) (engine.Bound, error), in []engine.Buffer, out shape.Type) {
	t.Helper()
	want := run(t, func() (engine.Bound, error) { return bind(ref.Engine{}) }, in, out).Bytes()
	for _, l := range isa.Levels() {
		got := run(t, func() (engine.Bound, error) { return bind(New(AtLevel(l))) }, in, out).Bytes()
		require.Equal(t, want, got, "%v at %v", out, l)
	}
}

// TestBroadcastsAgreeWithRef: along any axes, of rows about the lengths where tasks and kernels change.
func TestBroadcastsAgreeWithRef(t *testing.T) {
	rng := rand.New(rand.NewPCG(59, 1))
	extents := []int{1, 2, 3, 7, 8, 16, 28, 49, 65}
	for range 150 {
		from, to := make([]int, 4), make([]int, 4)
		for i := range to {
			to[i] = extents[rng.IntN(len(extents))]
			from[i] = []int{1, to[i]}[rng.IntN(2)]
		}
		if axis := 2 + rng.IntN(8); axis < 4 { // rows that are tasks of their own, or more
			from[0], to[0], from[1], to[1] = 1, 1, 1, 1+rng.IntN(3)
			to[axis] = 3000 * (1 + rng.IntN(7))
			from[axis] = []int{1, to[axis]}[rng.IntN(2)]
		}
		for _, d := range storedTypes {
			x, y := shape.Type{DType: d, Shape: shape.OfInts(from...)}, shape.Type{DType: d, Shape: shape.OfInts(to...)}
			if y.Len() > 300_000 {
				continue
			}
			m := engine.MapOf(engine.Copy, d, engine.In(0))
			requireSameMove(t, func(e engine.Engine) (engine.Bound, error) {
				return e.(engine.Mapper).BindMap(m, engine.InRows(x), engine.InRows(y))
			}, []engine.Buffer{counted(x)}, y)
		}
	}
}

// TestMovesOfRowsAgreeWithRef: concatenations, slices and transpositions that leave short rows.
func TestMovesOfRowsAgreeWithRef(t *testing.T) {
	rng := rand.New(rand.NewPCG(59, 2))
	for range 80 {
		s := shape.OfInts(1+rng.IntN(5), 1+rng.IntN(40), 1+rng.IntN(9), 1+rng.IntN(70))
		axis := rng.IntN(4)
		for _, d := range storedTypes {
			x := shape.Type{DType: d, Shape: s}
			z := x.Of(s.With(axis, shape.Dim(1+rng.IntN(20))))
			y := x.Of(s.With(axis, shape.Dim(x.Int(axis)+z.Int(axis))))
			requireSameMove(t, func(e engine.Engine) (engine.Bound, error) {
				return e.(engine.Mover).BindConcat(axis, engine.InRows(x, z), engine.InRow(y))
			}, []engine.Buffer{counted(x), counted(z)}, y)

			w := engine.Window{}
			for i := range w.Step {
				w.Step[i] = 1
			}
			w.Start[axis] = z.Int(axis)
			requireSameMove(t, func(e engine.Engine) (engine.Bound, error) {
				return e.(engine.Mover).BindSlice(w, engine.InRows(y), engine.InRow(x))
			}, []engine.Buffer{counted(y)}, x)
			requireSameMove(t, func(e engine.Engine) (engine.Bound, error) {
				return e.(engine.Mover).BindEmbed(w, engine.InRows(x), engine.InRow(y))
			}, []engine.Buffer{counted(x)}, y)

			p := engine.Perm{2, 0, 1, 3}
			turned := x.Of(shape.OfInts(x.Int(2), x.Int(0), x.Int(1), x.Int(3)))
			requireSameMove(t, func(e engine.Engine) (engine.Bound, error) {
				return e.(engine.Mover).BindTranspose(p, engine.InRows(x), engine.InRow(turned))
			}, []engine.Buffer{counted(x)}, turned)
		}
	}
}

// TestGathersOfRowsAgreeWithRef, and their adjoints: rows of ids of their own and shared ones, and an id that is none.
func TestGathersOfRowsAgreeWithRef(t *testing.T) {
	rng := rand.New(rand.NewPCG(59, 3))
	for range 60 {
		rows, n, m := 1+rng.IntN(30), 1+rng.IntN(40), 1+rng.IntN(60)
		for _, along := range []bool{false, true} {
			g, ids := engine.Gather{Axis: 1, Along: along}, shape.I32(shape.Dim(m))
			if along {
				ids = shape.I32(shape.Dim(rows), shape.Dim(m))
			}
			x, y := shape.F32(shape.Dim(rows), shape.Dim(n)), shape.F32(shape.Dim(rows), shape.Dim(m))
			at := newBuffer(ids)
			for i := range engine.Slice[int32](at) {
				engine.Slice[int32](at)[i] = int32(rng.IntN(n))
			}
			pick := func(e engine.Engine) (engine.Bound, error) {
				return e.(engine.Indexer).BindGather(g, engine.InRows(x, ids), engine.InRow(y))
			}
			requireSameMove(t, pick, []engine.Buffer{counted(x), at}, y)
			requireSameMove(t, func(e engine.Engine) (engine.Bound, error) {
				return e.(engine.Indexer).BindScatterAdd(g, engine.InRows(y, ids), engine.InRow(x))
			}, []engine.Buffer{counted(y), at}, x)

			engine.Slice[int32](at)[rng.IntN(ids.Len())] = []int32{-1, int32(n)}[rng.IntN(2)]
			b, err := pick(New())
			require.NoError(t, err)
			c := &engine.Call{In: []engine.Buffer{counted(x), at}, Out: []engine.Buffer{newBuffer(y)}, Scratch: engine.BufferOf(engine.Aligned(b.Scratch))}
			require.ErrorContains(t, b.Kernel(c), "")
		}
	}
}
