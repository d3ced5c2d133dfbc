package lecture

import (
	"flag"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var long = flag.Bool("long", false, "train the chapters' full forms, and hold what they claim: some minutes")

// trained runs a chapter, in its full form where that is asked for.
func trained(t *testing.T, name string) *Board {
	t.Helper()
	if !*long {
		return taught(t, name)
	}
	c, err := Find(name)
	require.NoError(t, err)
	b := NewBoard(Options{Seed: 1})
	require.NoError(t, c.Run(t.Context(), b))
	return b
}

func TestParameters(t *testing.T) {
	b := trained(t, "parameters")
	require.Equal(t, 156., b.value(t, "parameters of the convolutional layer"))
	require.Equal(t, 3692640., b.value(t, "parameters of a dense layer of the same function"))
	require.LessOrEqual(t, b.value(t, "largest difference of their outputs"), 1e-14)
	require.Equal(t, 61706., b.value(t, "LeNet, parameters"))
	require.InEpsilon(t, 61706., b.value(t, "dense, as many parameters, parameters"), .01)
	conv := b.value(t, "LeNet, errors in %")
	require.Less(t, conv, b.value(t, "dense, as many parameters, errors in %"))
	require.Less(t, conv, b.value(t, "dense, ten times as many, errors in %"))
}

func TestCapacity(t *testing.T) {
	b := trained(t, "capacity")
	for depth, column := range []string{"depth 1", "depth 2", "depth 3", "depth 4", "depth 5", "depth 6", "depth 7", "depth 8"} {
		require.Equal(t, math.Exp2(float64(depth+1)), b.value(t, "deep, "+column))
	}
	require.Less(t, b.value(t, "one hidden layer, at most, depth 8"), 20.)
	for _, row := range []string{"1 x 50", "2 x 47", "3 x 45", "4 x 43", "5 x 42"} {
		require.InEpsilon(t, 40000., b.value(t, row+", parameters"), .02)
	}
	require.Less(t, b.value(t, "1 x 50, errors in %"), b.value(t, "5 x 42, errors in %"))
}

func TestScaling(t *testing.T) {
	b := trained(t, "scaling")
	linear, conv := b.value(t, "errors divided by, linear"), b.value(t, "errors divided by, LeNet")
	require.Greater(t, conv, linear, "LeNet gains more by data than the linear model")
	require.Greater(t, b.value(t, "LeNet, 10000"), b.value(t, "linear, 10000")+.05)
	if *long {
		require.Greater(t, conv, 2*linear)
		require.Greater(t, b.value(t, "LeNet, 60000"), .985)
	}
}

func TestVanishing(t *testing.T) {
	b := trained(t, "vanishing")
	require.Less(t, b.value(t, "sigmoid, depth 64"), 1e-30)
	require.Less(t, b.value(t, "ReLU, PyTorch's weights, depth 64"), 1e-15)
	require.InDelta(t, 1, b.value(t, "ReLU, He's weights, depth 64"), 1)
	skip, normalised := b.value(t, "the same, skip connections, depth 64"), b.value(t, "ReLU, batch normalisation, depth 64")
	require.Greater(t, skip, 1.)
	require.Greater(t, normalised, 100*skip)
}

func TestOverfit(t *testing.T) {
	b := trained(t, "overfit")
	require.Greater(t, b.value(t, "validation loss of nothing, last over least"), 1.)
	loss := func(name string) float64 { return b.value(t, name+", test loss") }
	for _, name := range []string{"weight decay", "augmentation", "early stopping"} {
		require.Less(t, loss(name), loss("nothing"), name)
	}
	require.Less(t, b.value(t, "early stopping, epochs"), b.value(t, "nothing, epochs"))
	require.Less(t, b.value(t, "nothing, training loss"), .1)
	if *long {
		require.Less(t, loss("dropout"), loss("nothing"))
		require.Greater(t, b.value(t, "augmentation, test accuracy"), b.value(t, "nothing, test accuracy")+.03)
	}
}
