package onnx

import (
	"slices"

	"github.com/plexaura/plexaura/interop/onnx/ir"
)

// gathered returns, for a slice of any element type, the blocks of size elements that begin at starts.
func gathered(t *Tensor, starts []int, size int) any {
	if v, ok := t.Data.([]string); ok {
		return pickBlocks(v, starts, size)
	}
	return elements[t.Type].pick(t.Data, starts, size)
}

func pickBlocks[T any](v []T, starts []int, size int) []T {
	out := make([]T, 0, len(starts)*size)
	for _, s := range starts {
		out = append(out, v[s:s+size]...)
	}
	return out
}

// clone returns a tensor with elements of its own.
func (t *Tensor) clone() *Tensor {
	return &Tensor{Type: t.Type, Dims: slices.Clone(t.Dims), Data: gathered(t, []int{0}, t.Len())}
}

func product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// take returns the parts of t at the given indices of an axis.
func (t *Tensor) take(a int, indices []int) *Tensor {
	size, n := product(t.Dims[a+1:]), t.Dims[a]
	starts := make([]int, 0, product(t.Dims[:a])*len(indices))
	for o := range product(t.Dims[:a]) {
		for _, i := range indices {
			starts = append(starts, (o*n+i)*size)
		}
	}
	dims := slices.Clone(t.Dims)
	dims[a] = len(indices)
	return &Tensor{Type: t.Type, Dims: dims, Data: gathered(t, starts, size)}
}

// at is take for one index, without the axis.
func (t *Tensor) at(a, i int) *Tensor {
	p := t.take(a, []int{i})
	p.Dims = slices.Delete(p.Dims, a, a+1)
	return p
}

// stack joins tensors of equal extents, at least one, along a new axis.
func stack(list []*Tensor, a int) *Tensor {
	first := list[0]
	dims := slices.Insert(slices.Clone(first.Dims), a, len(list))
	t := &Tensor{Type: first.Type, Dims: dims, Data: joinedData(list)}
	if a == 0 {
		return t
	}
	size, outer := product(first.Dims[a:]), product(first.Dims[:a])
	starts := make([]int, 0, outer*len(list))
	for o := range outer {
		for i := range list {
			starts = append(starts, (i*outer+o)*size)
		}
	}
	t.Data = gathered(t, starts, size)
	return t
}

func joinedData(list []*Tensor) any {
	if _, ok := list[0].Data.([]string); ok {
		return joinSlices[string](list)
	}
	return elements[list[0].Type].join(list)
}

func joinSlices[T any](list []*Tensor) []T {
	n := 0
	for _, t := range list {
		n += len(t.Data.([]T))
	}
	out := make([]T, 0, n)
	for _, t := range list {
		out = append(out, t.Data.([]T)...)
	}
	return out
}

// empty returns a tensor without elements.
func empty(e ir.DataType, dims []int) *Tensor {
	if e == ir.String {
		return &Tensor{Type: e, Dims: dims, Data: []string{}}
	}
	return &Tensor{Type: e, Dims: dims, Data: elements[e].none()}
}
