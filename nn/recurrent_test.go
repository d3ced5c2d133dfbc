package nn_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/nn"
	"github.com/plexaura/plexaura/shape"
)

// Of one hidden unit and weights of 1 the steps can be written down.
func TestAnLSTMOfOneUnit(t *testing.T) {
	n := apply(nn.LSTM{Hidden: 1, Whole: true, Init: nn.Constant(1)}, shape.F64(shape.N, 2, 1))
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	h, c, want := 0., 0., []float64{}
	for _, x := range []float64{.5, -1} {
		a := x + h + 2 // and two biases
		c = sigmoid(a)*c + sigmoid(a)*math.Tanh(a)
		h = sigmoid(a) * math.Tanh(c)
		want = append(want, h)
	}
	require.InDeltaSlice(t, want, run(t, n.y, store(t, n.g, nil), []float64{.5, -1}, 1, 2, 1), 1e-15)
}

func TestTheLastStateIsThatOfTheLastStep(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6}
	for _, pair := range [][2]nn.Layer{
		{nn.LSTM{Hidden: 2, Whole: true, Init: nn.Constant(.1)}, nn.LSTM{Hidden: 2, Init: nn.Constant(.1)}},
		{nn.GRU{Hidden: 2, Whole: true, Init: nn.Constant(.1)}, nn.GRU{Hidden: 2, Init: nn.Constant(.1)}},
		{nn.GRU{Hidden: 2, Whole: true, NoBias: true, Init: nn.Constant(.1)}, nn.GRU{Hidden: 2, NoBias: true, Init: nn.Constant(.1)}},
	} {
		all, last := apply(pair[0], shape.F64(shape.N, 3, 2)), apply(pair[1], shape.F64(shape.N, 3, 2))
		want := run(t, all.y, store(t, all.g, nil), x, 1, 3, 2)
		require.Equal(t, want[4:], run(t, last.y, store(t, last.g, nil), x, 1, 3, 2))
	}
}

func TestWithoutBiasIsABiasOfZero(t *testing.T) {
	x := []float64{1, -2, 3, -4}
	for _, pair := range [][2]nn.Layer{
		{nn.LSTM{Hidden: 2, Init: nn.Constant(.1)}, nn.LSTM{Hidden: 2, NoBias: true, Init: nn.Constant(.1)}},
		{nn.GRU{Hidden: 2, Init: nn.Constant(.1)}, nn.GRU{Hidden: 2, NoBias: true, Init: nn.Constant(.1)}},
	} {
		with, without := apply(pair[0], shape.F64(shape.N, 2, 2)), apply(pair[1], shape.F64(shape.N, 2, 2))
		s := store(t, with.g, nil)
		for _, l := range with.g.Leaves() {
			if l.Type().Rank() == 1 {
				require.NoError(t, s.Set(l.Name(), dense(make([]float64, l.Type().Len()), l.Type().Ints()...)))
			}
		}
		require.Equal(t, run(t, with.y, s, x, 1, 2, 2), run(t, without.y, store(t, without.g, nil), x, 1, 2, 2))
	}
}

// Words go through an embedding and two recurrent layers to classes.
func ExampleLSTM() {
	model := nn.Sequential{
		nn.Embedding{Name: "words", Count: 1000, Dim: 16},
		nn.LSTM{Name: "rnn1", Hidden: 32, Whole: true},
		nn.LSTM{Name: "rnn2", Hidden: 32},
		nn.Linear{Name: "fc", Out: 2},
	}
	g := graph.New()
	logits := model.Apply(nn.Root(g), g.Input("ids", shape.I32(shape.N, 12)))
	fmt.Println(logits.Type(), g.Err())
	fmt.Println(g.Params()[:5])
	// Output:
	// float32(N,2) <nil>
	// [words.weight rnn1.weight_ih rnn1.weight_hh rnn1.bias_ih rnn1.bias_hh]
}
