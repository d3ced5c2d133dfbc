package serve

import (
	"context"
	"fmt"
	"image"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// plainModel is a model of the given tensors, whose sessions have n bytes for each of them.
type plainModel struct {
	in, out []Tensor
	batched bool
	n       int
	shape   []int // of outputs
	classes []string
}

func (p *plainModel) Inputs() []Tensor                         { return p.in }
func (p *plainModel) Outputs() []Tensor                        { return p.out }
func (p *plainModel) Batched() bool                            { return p.batched }
func (p *plainModel) Close() error                             { return nil }
func (p *plainModel) NewSession(int) (Session, error)          { return p, nil }
func (p *plainModel) Input(int, []int) ([]byte, error)         { return make([]byte, p.n), nil }
func (p *plainModel) Run(context.Context) error                { return nil }
func (p *plainModel) Output(int) ([]int, []byte)               { return p.shape, make([]byte, p.n) }
func (p *plainModel) Classes() []string                        { return p.classes }
func (p *plainModel) Prepare(image.Image) ([]float32, error)   { return make([]float32, 1), nil }
func (p *plainModel) Probabilities(output []float32) []float32 { return output[:1] }
func floats(name string, shape ...int) Tensor                  { return Tensor{name, FP32, shape} }
func tensors(all ...Tensor) []Tensor                           { return all }

func TestModelsThatCannotBeServed(t *testing.T) {
	good := tensors(floats("x", -1, 2))
	for want, m := range map[string]*plainModel{
		"the model has 0 inputs; want 1 to 256":           {out: good},
		"the model has 0 outputs":                         {in: good},
		`the name "x" is that of more than one input`:     {in: tensors(floats("x", 1), floats("x", 1)), out: good},
		`the name "" is that of more than one output`:     {in: good, out: tensors(floats("", 1))},
		`input "x" has extents [-2], which cannot be`:     {in: tensors(floats("x", -2)), out: good},
		`has extents [2000000000 -1 2000000000], which`:   {in: tensors(floats("x", 2e9, -1, 2e9)), out: good},
		`want -1 as its first extent`:                     {in: good, out: tensors(floats("y", 1, 2)), batched: true},
		`batches is FP32 [-1]; want -1`:                   {in: tensors(Tensor{"x", FP32, nil}), out: good, batched: true},
		`input "x" is "BYTES", which requests cannot`:     {in: tensors(Tensor{"x", "BYTES", []int{1}}), out: good},
		"a classifier takes pictures by its only input":   {in: good, out: good, classes: []string{"a"}},
		"a number for each class: 1 classes, FP32 [-1 2]": {in: good, out: good, batched: true, classes: []string{"a"}},
	} {
		s, err := New(Options{})
		require.NoError(t, err)
		require.ErrorContains(t, s.Add("m", m, nil), want)
		require.NoError(t, s.Close(t.Context()))
	}
}

// What a session gives is checked before it is read.
func TestASessionThatGivesOtherBytesIsAnError(t *testing.T) {
	for want, m := range map[string]*plainModel{
		`the session has 4 bytes for input "x"; [1 2] take 8`: {n: 4, shape: []int{1, 1}},
		`output "y" has 8 bytes for FP32 [1 3]`:               {n: 8, shape: []int{1, 3}},
		`output "y" has 8 bytes for FP32 [-1 -2]`:             {n: 8, shape: []int{-1, -2}},
	} {
		m.in, m.out = tensors(floats("x", 1, 2)), tensors(Tensor{"y", FP32, nil})
		_, web := started(t, Options{}, map[string]Model{"m": m})
		status, body, _ := ask(t, web, "POST", "/v2/models/m/infer", `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]}`)
		require.Equal(t, 500, status)
		require.Equal(t, "the model: "+want, decoded(t, body).Error)
		_, body, _ = ask(t, web, "GET", "/v2/models/m", "")
		require.Contains(t, body, `"outputs":[{"name":"y","datatype":"FP32","shape":[-1]}]`, "whose axes are not known")
	}
}

// A batch has calls of the same extents but for the rows, the oldest of them first.
func TestABatchHasCallsOfTheSameExtents(t *testing.T) {
	q := newQueue(100, 8, 0)
	var names []string
	for i, shape := range [][]int{{1, 5}, {1, 6}, {2, 5}, {5, 5}, {1, 5}, {1, 6}} {
		c := newCall()
		c.fit(1)
		c.id, c.rows, c.shapes[0] = fmt.Sprint(i), shape[0], shape
		require.NoError(t, q.add(c))
	}
	for {
		batch, wait := q.take(nil)
		if len(batch) == 0 {
			require.Equal(t, time.Duration(0), wait)
			break
		}
		names = append(names, "|")
		for _, c := range batch {
			names = append(names, c.id)
		}
	}
	require.Equal(t, []string{"|", "0", "2", "3", "|", "1", "5", "|", "4"}, names)
	require.Zero(t, q.rows)
}
