package vm

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// drawRegion draws instructions over values of random sizes, of which some win by a layout, some
// can have it, and some cannot.
func drawRegion(r *rand.Rand) (*region, []*instr) {
	to := engine.Interleaved(2)
	p := &plan{}
	fresh := func() *value { return p.newValue(shape.F32(shape.Dim(2*(1+r.IntN(20))), 1), nil, fromInstr) }
	g := &region{plan: p, layout: to, at: map[*instr]int{}}
	values := []*value{fresh(), fresh()}
	for range 3 + r.IntN(8) {
		in := &instr{out: []*value{fresh()}}
		a := engine.Arrangement{Wins: r.IntN(4) == 0}
		layout := func() engine.Layout { return []engine.Layout{engine.Rows, to, to, to}[r.IntN(4)] }
		for range 1 + r.IntN(3) {
			in.in, a.In = append(in.in, values[r.IntN(len(values))]), append(a.In, layout())
		}
		a.Out = layout()
		if a.Other() == to && r.IntN(4) > 0 {
			g.at[in] = len(g.instrs)
			g.instrs, g.how = append(g.instrs, in), append(g.how, a)
		}
		in.out[0].out = r.IntN(4) == 0
		values = append(values, in.out[0])
		p.instrs = append(p.instrs, in)
	}
	p.relink()
	return g, p.instrs
}

// bytes counts what is converted where the instructions of a set keep to rows: once a value and
// direction.
func (r *region) bytes(all []*instr, keeps []bool) (n int) {
	type conversion struct {
		v  *value
		to engine.Layout
	}
	given := map[*value]engine.Layout{}
	done := map[conversion]bool{}
	need := func(v *value, l engine.Layout) {
		if c := (conversion{v, l}); given[v] != l && !done[c] {
			done[c] = true
			n += v.typ.Bytes()
		}
	}
	how := func(in *instr) engine.Arrangement {
		if i, ok := r.at[in]; ok && !keeps[i] {
			return r.how[i]
		}
		return engine.Arrangement{In: make([]engine.Layout, len(in.in))}
	}
	for _, in := range all {
		given[in.out[0]] = how(in).Out
	}
	for _, in := range all {
		for k, v := range in.in {
			need(v, how(in).In[k])
		}
		if in.out[0].out {
			need(in.out[0], engine.Rows)
		}
	}
	return n
}

// Of all choices that give the layout to what wins by it, the cut converts the fewest bytes, and of
// those that do, the fewest instructions keep to rows.
func TestTheCutConvertsTheFewestBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	split := 0
	for range 2000 {
		g, all := drawRegion(r)
		got := g.cut()
		kept := 0
		for i, keeps := range got {
			require.False(t, keeps && g.how[i].Wins)
			if keeps {
				kept++
			}
		}
		if kept > 0 && kept < len(got) {
			split++
		}
		least, fewest := math.MaxInt, 0
		for set := range 1 << len(g.instrs) {
			keeps, n, ok := make([]bool, len(g.instrs)), 0, true
			for i := range keeps {
				if keeps[i] = set>>i&1 == 1; keeps[i] {
					n++
				}
				ok = ok && !(keeps[i] && g.how[i].Wins)
			}
			if !ok {
				continue
			}
			if b := g.bytes(all, keeps); b < least || b == least && n < fewest {
				least, fewest = b, n
			}
		}
		require.Equal(t, least, g.bytes(all, got))
		require.Equal(t, fewest, kept)
	}
	require.Greater(t, split, 100)
}
