package onnx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/interop/onnx/ir/irtest"
)

// Powers and running products of integers are exact, and wrap around as their products do in Go.
func TestPowersAndProductsOfIntegersWrapAround(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	for range 40 {
		n := 1 + r.IntN(9)
		base, exponent := make([]int64, n), make([]int64, n)
		for i := range n {
			base[i], exponent[i] = r.Int64N(21)-10, r.Int64N(90)-10
			if r.IntN(4) == 0 {
				base[i] = int64(r.Uint64())
			}
		}
		var power []int64
		for i, b := range base {
			power = append(power, powerOf(b, exponent[i]))
		}
		exclusive, reverse := r.IntN(2), r.IntN(2)
		products := make([]int64, n)
		p := int64(1)
		for k := range n {
			i := k
			if reverse == 1 {
				i = n - 1 - k
			}
			if exclusive == 1 {
				products[i] = p
			}
			p *= base[i]
			if exclusive == 0 {
				products[i] = p
			}
		}
		for _, known := range []bool{true, false} {
			m := model([]*ir.Node{node("Pow", in("x", "e"), "y"), node("CumProd", in("x", "axis"), "p", intAttr("exclusive", int64(exclusive)), intAttr("reverse", int64(reverse)))},
				inputs(info("x", ir.Int64, n)), out("y", "p"), intInit("axis", 0))
			m.Opsets[0].Version = 26
			feeds := map[string]*onnx.Tensor{"x": ints(base...), "e": ints(exponent...)}
			if known {
				m.Graph.Initializers = append(m.Graph.Initializers, intInit("e", exponent...))
				delete(feeds, "e")
			} else {
				m.Graph.Inputs = append(m.Graph.Inputs, info("e", ir.Int64, n))
			}
			outs, err := session(t, m).Run(t.Context(), feeds)
			require.NoError(t, err)
			require.Equal(t, power, outs["y"].Data, "%v to the power of %v", base, exponent)
			require.Equal(t, products, outs["p"].Data, base)
		}
	}
}

func powerOf(b, e int64) int64 {
	switch {
	case e < 0 && b == 1, e < 0 && b == -1 && e%2 == 0:
		return 1
	case e < 0 && b == -1:
		return -1
	case e < 0:
		return 0
	}
	y := int64(1)
	for range e {
		y *= b
	}
	return y
}

// The least of all numbers is found, and NaN is greater than any number, as ONNX Runtime has it.
func TestTheLeastAreThoseOfONNXRuntime(t *testing.T) {
	least := session(t, model([]*ir.Node{node("ArgMin", in("x"), "y", intAttr("keepdims", 0)), irtest.Node("TopK", in("x", "k"), in("v", "p"), intAttr("largest", 0))},
		inputs(info("x", ir.Int64, 4)), out("y", "v"), intInit("k", 2)))
	outs, err := least.Run(t.Context(), map[string]*onnx.Tensor{"x": ints(5, math.MinInt64, 3, math.MinInt64+1)})
	require.NoError(t, err)
	require.Equal(t, []int64{1}, outs["y"].Data)
	require.Equal(t, []int64{math.MinInt64, math.MinInt64 + 1}, outs["v"].Data)

	root := t.TempDir()
	var all []exported
	r := rand.New(rand.NewPCG(2, 8))
	for i := range 24 {
		v := make([]float32, 24)
		for k := range v {
			if v[k] = float32(r.IntN(7)-3) / 2; r.IntN(5) == 0 {
				v[k] = float32([]float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)])
			}
		}
		m := model([]*ir.Node{
			irtest.Node("TopK", in("x", "k"), in("v", "p"), intAttr("largest", int64(i%2))), node("Cast", in("p"), "f", intAttr("to", int64(ir.Float))),
			node("Concat", in("v", "f"), "output", intAttr("axis", 0)),
		}, inputs(info("x", ir.Float, "n", 6)), inputs(info("output", ir.Float, "m", "k")), intInit("k", int64(1+r.IntN(6))))
		all = append(all, drawnInRuntime(t, filepath.Join(root, fmt.Sprint(i)), fmt.Sprint("TopK ", i), m, floats([]int{4, 6}, v...)))
	}
	runtime(t, all)
	for _, e := range all {
		got, err := e.result()
		require.NoError(t, err, e.name)
		for i, v := range got {
			require.True(t, v == e.want[i] || v != v && e.want[i] != e.want[i], "%s: %v, want %v", e.name, e.want, got)
		}
	}
}
