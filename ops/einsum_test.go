package ops_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/ops"
	"github.com/plexaura/plexaura/shape"
	"github.com/plexaura/plexaura/vm"
)

// Whatever is asked for is a tensor that can be computed, or one error.
func FuzzEinsum(f *testing.F) {
	for _, spec := range []string{"ij,jk->ik", "ii", "iij->j", "a,b,c->cab", "i->ii", "...i", "->", ",", "ij,jk", "é", "a-b", "a->b->c", "abcdefgh,a"} {
		f.Add(spec, uint16(0x2233), uint16(0x3324))
	}
	f.Fuzz(func(t *testing.T, spec string, first, second uint16) {
		for n := 1; n <= 2; n++ {
			g := graph.New()
			operands := []*graph.Node{g.Input("a", shape.F64(extents(first)...)), g.Input("b", shape.F64(extents(second)...))}
			y := ops.Einsum(spec, operands[:n]...)
			if !y.Valid() {
				require.Equal(t, 1, errorCount(g), "%q: %v", spec, g.Err())
				continue
			}
			require.NoError(t, g.Err(), spec)
			p, err := vm.Compile(ref.Engine{}, append(autodiff.Grad(ops.Sum(y), operands[:n]...), y), vm.Checked)
			require.NoError(t, err, spec)
			_, err = p.Memory(2)
			require.NoError(t, err, spec)
		}
	})
}

// extents are up to 4 of them, 0 to 3 or, for 5, the batch size.
func extents(code uint16) (dims []shape.Dim) {
	for ; code > 0; code >>= 4 {
		d := shape.Dim(code % 6)
		if d == 5 {
			d = shape.N
		}
		dims = append(dims, d)
	}
	return dims
}
