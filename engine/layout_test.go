package engine_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

var testLayouts = []engine.Layout{
	engine.Rows, engine.Interleaved(2), engine.Interleaved(3), {Axis: 1, Block: 2}, {Axis: 1, Block: engine.All}, {Axis: 2, Block: 3}, {Axis: 3, Block: engine.All},
}

// place is where the element with those indices lies, by the definition: blocks along the axis
// stand innermost.
func place(l engine.Layout, t shape.Type, index []int) int {
	if l == engine.Rows {
		at := 0
		for i, k := range index {
			at = at*t.Int(i) + k
		}
		return at
	}
	block := l.Block
	if block == engine.All {
		block = t.Int(l.Axis)
	}
	at := 0
	for i, k := range index {
		n := t.Int(i)
		if i == l.Axis {
			n, k = n/block, k/block
		}
		at = at*n + k
	}
	return at*block + index[l.Axis]%block
}

// each calls f with all indices of t, in row-major order.
func each(t shape.Type, f func(index []int)) {
	index := make([]int, t.Rank())
	for range t.Len() {
		f(index)
		for i := t.Rank() - 1; i >= 0; i-- {
			if index[i]++; index[i] < t.Int(i) {
				break
			}
			index[i] = 0
		}
	}
}

// Exchanging rows and columns of the matrices that Swap names converts from rows to a layout.
func TestSwapIsTheConversion(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		typ := shape.F32(shape.Dim(1+r.IntN(7)), shape.Dim(1+r.IntN(7)), shape.Dim(1+r.IntN(7)), shape.Dim(1+r.IntN(5)))
		for _, l := range testLayouts {
			if l == engine.Rows || !l.Fits(typ) {
				continue
			}
			blocks, block, inner := l.Swap(typ)
			row := 0
			each(typ, func(index []int) {
				swapped := row/(block*inner)*block*inner + row%inner*block + row/inner%block
				require.Equal(t, place(l, typ, index), swapped, "%v %v %v", l, typ, index)
				row++
			})
			require.Equal(t, typ.Len(), blocks*block*inner)
			require.Equal(t, typ.Len(), l.Stored(typ).Len())
			require.Equal(t, typ.Rank()+1, l.Stored(typ).Rank())
		}
	}
}

// A map of memory in a layout reads, at each place, the elements that a map in rows reads for the
// same indices, or refuses.
func TestMapsInALayoutReadWhatMapsInRowsRead(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	views := 0
	for range 3000 {
		out := shape.F32(shape.Dim(2*(1+r.IntN(3))), shape.Dim(2*(1+r.IntN(3))), shape.Dim(1+r.IntN(6)), shape.Dim(1+r.IntN(3)))
		dims := out.Dims()[r.IntN(5):]
		for i := range dims {
			if r.IntN(2) == 0 {
				dims[i] = 1
			}
		}
		in := shape.F32(dims...)
		l := testLayouts[r.IntN(len(testLayouts))]
		if !l.Fits(out) {
			continue
		}
		ins, outs, err := engine.MapTypes(engine.InRows(in), []engine.Operand{{Type: out, Layout: l}})
		if err != nil {
			continue
		}
		views++
		each(out, func(index []int) {
			read := make([]int, in.Rank())
			for i := range read {
				read[i] = index[i+out.Rank()-in.Rank()] % in.Int(i)
			}
			at := place(engine.Rows, in, read)
			require.Equal(t, at, broadcast(ins[0], outs[0], place(l, out, index)), "%v of %v for %v", l, in, out)
		})
	}
	require.Greater(t, views, 500)
}

// broadcast is the place in a row-major tensor in that is read for that place of out.
func broadcast(in, out shape.Type, at int) int {
	k := 0
	strides := out.Strides()
	for i := range in.Rank() {
		j := i + out.Rank() - in.Rank()
		k = k*in.Int(i) + at/strides[j]%out.Int(j)%in.Int(i)
	}
	return k
}

func TestWhatALayoutDoesNotFitIsRefused(t *testing.T) {
	x := shape.F32(4, 6, 5, 5)
	for _, l := range []engine.Layout{{Axis: 4, Block: 2}, {Axis: -1, Block: 2}, {Axis: 0, Block: 3}, {Axis: 2, Block: 0}, {Axis: 0, Block: -2}} {
		require.False(t, l.Fits(x), "%v", l)
	}
	laid := engine.Operand{Type: x, Layout: engine.Interleaved(2)}
	_, _, err := engine.MapTypes(engine.InRows(x), []engine.Operand{laid})
	require.EqualError(t, err, "a map to axis 0 by 2 cannot read float32(4,6,5,5)")
	_, _, err = engine.MapTypes([]engine.Operand{laid}, engine.InRows(x))
	require.EqualError(t, err, "a map to rows cannot read float32(4,6,5,5) axis 0 by 2")
	_, _, err = engine.MapTypes(engine.InRows(x), []engine.Operand{{Type: x, Layout: engine.Interleaved(3)}})
	require.EqualError(t, err, "a map cannot return float32(4,6,5,5) axis 0 by 3")
}

// A transposition keeps what lies, by the definition, at the same place before and after.
func TestATranspositionKeepsPlacesOrMovesSome(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	kept := 0
	for range 3000 {
		dims, perm := make([]shape.Dim, 4), r.Perm(4)
		for i := range dims {
			dims[i] = shape.Dim(1 + r.IntN(3))
		}
		in := engine.Operand{Type: shape.F32(dims...), Layout: testLayouts[r.IntN(len(testLayouts))]}
		var p engine.Perm
		moved := make([]shape.Dim, 4)
		for i, axis := range perm {
			p[i], moved[i] = uint8(axis), dims[axis]
		}
		out := engine.Operand{Type: shape.F32(moved...), Layout: testLayouts[r.IntN(len(testLayouts))]}
		if !in.Layout.Fits(in.Type) || !out.Layout.Fits(out.Type) {
			continue
		}
		same := true
		each(out.Type, func(index []int) {
			from := make([]int, 4)
			for i, axis := range perm {
				from[axis] = index[i]
			}
			same = same && place(in.Layout, in.Type, from) == place(out.Layout, out.Type, index)
		})
		keeps := p.Keeps(in, out)
		if keeps {
			kept++
			require.True(t, same, "%v of %v to %v", perm, in, out)
		}
		if whole(in.Layout) && whole(out.Layout) {
			require.Equal(t, same, keeps, "%v of %v to %v", perm, in, out)
		}
	}
	require.Greater(t, kept, 50)
}

// whole reports whether l does not cut an axis into blocks.
func whole(l engine.Layout) bool { return l == engine.Rows || l.Block == engine.All }
