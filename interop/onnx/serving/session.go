package serving

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/plexaura/plexaura/interop/onnx"
)

// session runs a batch in parts of at most four sizes, the largest first: a program is compiled for
// each size, and no more of them are kept ready.
type session struct {
	model   *model
	sizes   []int
	in, out []onnx.Tensor
	given   map[string]*onnx.Tensor // of a part
}

// Input makes room for the elements of input i.
func (s *session) Input(i int, shape []int) ([]byte, error) {
	n, t, e := 1, s.model.inputs[i], elements[s.model.inputs[i].typ]
	for _, d := range shape {
		n *= d
	}
	in := &s.in[i]
	in.Type, in.Dims, in.Data = t.typ, append(in.Dims[:0], shape...), e.grown(in.Data, n)
	return e.bytes(in.Data), nil
}

// Output returns what the parts have given.
func (s *session) Output(i int) ([]int, []byte) {
	return s.out[i].Dims, elements[s.out[i].Type].bytes(s.out[i].Data)
}

func (s *session) Run(ctx context.Context) error {
	if !s.model.batched {
		_, err := s.part(ctx, 0, 0, 0)
		return err
	}
	rows := s.in[0].Dims[0]
	if rows == 1 || s.model.rows.Load() != keptRows {
		return s.whole(ctx, rows)
	}
	for at := 0; at < rows; {
		n := s.sizes[slices.IndexFunc(s.sizes, func(size int) bool { return size <= rows-at })]
		kept, err := s.part(ctx, at, n, rows)
		if err != nil {
			return err
		}
		if !kept {
			s.model.rows.Store(mixedRows)
			return s.whole(ctx, rows)
		}
		at += n
	}
	return nil
}

// whole runs a batch at once, and finds out whether results have its rows.
func (s *session) whole(ctx context.Context, rows int) error {
	kept, err := s.part(ctx, 0, rows, rows)
	switch {
	case err != nil || rows == 1:
	case !kept:
		s.model.rows.Store(mixedRows)
	default:
		s.model.rows.CompareAndSwap(0, keptRows)
	}
	return err
}

// part runs the n rows from at on, of rows, or everything if there are no rows. It reports whether its
// outputs have as many rows, so that those of other parts can follow.
func (s *session) part(ctx context.Context, at, n, rows int) (kept bool, err error) {
	for i, t := range s.model.inputs {
		in := &s.in[i]
		if n < rows {
			in = rowsOf(in, at, n)
		}
		s.given[t.Name] = in
	}
	outs, err := s.model.session.Run(ctx, s.given)
	if err != nil {
		return false, err
	}
	kept = true
	for i, t := range s.model.outputs {
		out := outs[t.Name]
		if out == nil || out.Type != t.typ {
			return false, fmt.Errorf("onnx: output %q is %v; the file states %s", t.Name, out, t.Datatype)
		}
		fits := len(out.Dims) > 0 && out.Dims[0] == n && (at == 0 || slices.Equal(out.Dims[1:], s.out[i].Dims[1:]))
		switch {
		case n == rows:
			s.out[i] = *out
		case fits:
			s.join(i, out, at, rows)
		}
		kept = kept && fits
	}
	return kept, nil
}

// rowsOf returns n rows of t.
func rowsOf(t *onnx.Tensor, at, n int) *onnx.Tensor {
	row := t.Len() / t.Dims[0]
	dims := slices.Clone(t.Dims)
	dims[0] = n
	return &onnx.Tensor{Type: t.Type, Dims: dims, Data: elements[t.Type].part(t.Data, at*row, (at+n)*row)}
}

// join copies rows of output i from at on into memory for all rows, which is made for the first ones.
func (s *session) join(i int, out *onnx.Tensor, at, rows int) {
	e, all, row := elements[out.Type], &s.out[i], out.Len()/out.Dims[0]
	if at == 0 {
		all.Type, all.Dims, all.Data = out.Type, slices.Clone(out.Dims), e.grown(nil, rows*row)
		all.Dims[0] = rows
	}
	copy(e.bytes(e.part(all.Data, at*row, rows*row)), e.bytes(out.Data))
}

// softmax returns the probabilities of logits.
func softmax(logits []float32) []float32 {
	all, total := make([]float32, len(logits)), 0.0
	if len(logits) == 0 {
		return all
	}
	most := slices.Max(logits)
	for i, v := range logits {
		p := math.Exp(float64(v - most))
		all[i] = float32(p)
		total += p
	}
	for i := range all {
		all[i] = float32(float64(all[i]) / total)
	}
	return all
}
