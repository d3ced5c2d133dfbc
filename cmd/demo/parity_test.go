package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/ref"
	"github.com/plexaura/plexaura/internal/parity"
)

func TestParityPrintsALineForEveryOpAndCase(t *testing.T) {
	cases, err := parity.Cases()
	require.NoError(t, err)
	perOp := map[string]int{}
	for _, c := range cases {
		perOp[c.Op]++
	}
	p := parityRun{engine: ref.Engine{}, out: &bytes.Buffer{}}
	require.NoError(t, p.ops(context.Background()))
	require.NoError(t, p.conclude())
	out := p.out.(*bytes.Buffer).String()
	for op := range perOp {
		require.Contains(t, out, "\n"+op+" ")
	}
	require.Equal(t, len(perOp)+len(parity.Uncompared)+3, strings.Count(out, "\n"), "and a header, a space and a conclusion")

	status, out, errs := demo(context.Background(), "parity", "-engine", "ref", "-op", "conv3d", "-model", "lenet")
	require.Zero(t, status, errs)
	require.Equal(t, perOp["Conv3D"], strings.Count(out, " Conv3D"))
	require.Equal(t, 2, strings.Count(out, "gradient of conv1.weight "), "two batch sizes")
	require.Contains(t, out, "are below 1e-05 in float32 and 1e-10 in float64")
}

func TestParityFailsWhereAnEngineIsWrong(t *testing.T) {
	p := parityRun{engine: wrongEpilogue{}, out: &bytes.Buffer{}}
	require.NoError(t, p.cases(context.Background(), "Conv2D"), "which no case of an op alone meets")
	require.NoError(t, p.conclude())
	require.NoError(t, p.models(context.Background(), "lenet"))
	require.Contains(t, p.out.(*bytes.Buffer).String(), "FAILED")
	require.ErrorContains(t, p.conclude(), "errors are above their bounds")
}

func TestCurvesOfATrainingAreMeansOverImages(t *testing.T) {
	var steps []parity.Step
	for range smoothed + 1 {
		steps = append(steps, parity.Step{Loss: 2, Correct: 16, Images: 64})
	}
	steps[smoothed] = parity.Step{Loss: 1, Correct: 8, Images: 8}
	loss, accuracy := trainingCurves(steps)
	require.Equal(t, []float64{smoothed / 2, smoothed + smoothed/2}, loss.X)
	require.Equal(t, []float64{2, 1}, loss.Y)
	require.Equal(t, []float64{.25, 1}, accuracy.Y)
	require.Equal(t, 1., apart(steps[:1], steps[smoothed:]))
}
