package ops

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plexaura/plexaura/graph"
	"github.com/plexaura/plexaura/shape"
)

// Einsum multiplies tensors, Float32 or Float64, and sums over indices, in the notation of NumPy's
// einsum: "ij,jk->ik" is the product of two matrices. Each letter, a to z or A to Z, is an index
// and names an axis of an operand. Einsum sums over the letters that are not to the right of the
// arrow. Without an arrow the result has the letters that occur once, in alphabetical order,
// capitals first. If a letter occurs twice in an operand, its diagonal is taken: "ii" is a trace.
// Spaces are ignored. An ellipsis is an error. All axes with the same letter must have equal
// extents; they do not broadcast.
//
// Operands are combined from left to right: two operands become a batched [MatMul] if indices are
// summed over, and a [Mul] otherwise.
func Einsum(subscripts string, xs ...*graph.Node) *graph.Node {
	if len(xs) == 0 {
		return graph.New().Reject("Einsum", errors.New("there are no operands; want at least one"))
	}
	var e einsum
	bad := refused("Einsum", func() (err error) {
		e, err = parseEinsum(subscripts, xs)
		return err
	}, xs...)
	if bad != nil {
		return bad
	}
	return e.lower(xs)
}

// einsum holds the letters of each operand, including repeated ones, their extents, and the steps
// of the product.
type einsum struct {
	terms   []string
	extents map[rune]shape.Dim
	out     string
	steps   []einsumStep // one for each operand except the first
}

// einsumStep multiplies the product so far by the next operand. Its indices are: those in both that
// are kept, those only in the left operand, those only in the right one, and those in both that are
// summed.
type einsumStep struct{ batch, left, right, summed string }

func parseEinsum(subscripts string, xs []*graph.Node) (e einsum, err error) {
	spec := strings.ReplaceAll(subscripts, " ", "")
	in, out, explicit := strings.Cut(spec, "->")
	if strings.Contains(spec, ".") {
		return e, fmt.Errorf("%q has an ellipsis; want a letter for each axis", subscripts)
	}
	for _, c := range in + out {
		if c != ',' && !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') || c == ',' && strings.Contains(out, ",") {
			return e, fmt.Errorf("%q has %q in it; want letters, commas between operands and one ->", subscripts, c)
		}
	}
	e.terms, e.extents, e.out = strings.Split(in, ","), map[rune]shape.Dim{}, out
	if len(e.terms) != len(xs) {
		return e, fmt.Errorf("%q is for %s, have %d; want one for each", subscripts, plural(len(e.terms), "operand"), len(xs))
	}
	for i, x := range xs {
		if err := e.take(i, x.Type(), xs[0].Type()); err != nil {
			return e, err
		}
	}
	if !explicit {
		e.out = occurOnce(in)
	}
	for _, c := range e.out {
		if _, known := e.extents[c]; !known || strings.Count(e.out, string(c)) > 1 {
			return e, fmt.Errorf("the result of %q has index %q; want each once, and only those of operands", subscripts, c)
		}
	}
	return e, e.plan()
}

// take records the extents of operand i.
func (e einsum) take(i int, t, first shape.Type) error {
	if err := wantFloat(first, t); err != nil {
		return err
	}
	term := e.terms[i]
	if len(term) != t.Rank() {
		return fmt.Errorf("operand %d is %v; want an axis for each letter of %q", i, t, term)
	}
	for axis, c := range term {
		d, known := e.extents[c]
		if known && d != t.Dim(axis) {
			return fmt.Errorf("extents of index %q differ: %v, and %v in operand %d, %v", c, d, t.Dim(axis), i, t)
		}
		if strings.Count(term, string(c)) > 1 && t.Dim(axis).Symbolic() {
			return fmt.Errorf("operand %d, %v, has index %q twice in %q; a diagonal of the batch is not possible", i, t, c, term)
		}
		e.extents[c] = t.Dim(axis)
	}
	return nil
}

// occurOnce returns the letters that occur once, in order.
func occurOnce(terms string) string {
	var once []byte
	for i := range len(terms) {
		if terms[i] != ',' && strings.Count(terms, terms[i:i+1]) == 1 {
			once = append(once, terms[i])
		}
	}
	slices.Sort(once)
	return string(once)
}

// plan determines the steps, and rejects those that no product can compute.
func (e *einsum) plan() error {
	have := only(e.terms[0], func(c rune) bool { return e.needed(c, 1) })
	for i := 1; i < len(e.terms); i++ {
		next := only(e.terms[i], func(c rune) bool { return strings.ContainsRune(have, c) || e.needed(c, i+1) })
		both := func(c rune) bool { return strings.ContainsRune(have, c) && strings.ContainsRune(next, c) }
		s := einsumStep{
			batch:  only(have, func(c rune) bool { return both(c) && e.needed(c, i+1) }),
			left:   only(have, func(c rune) bool { return !both(c) }),
			right:  only(next, func(c rune) bool { return !both(c) }),
			summed: only(have, func(c rune) bool { return both(c) && !e.needed(c, i+1) }),
		}
		if have = s.batch + s.left + s.right; max(len(have), len(s.batch)+2) > shape.MaxRank {
			return fmt.Errorf("operands 0 to %d make a tensor of the indices %q; want at most %d axes", i, have, shape.MaxRank)
		}
		for _, side := range []string{s.left, s.right, s.summed} {
			if _, err := shape.Of(e.dims(side)...).Size(); err != nil && s.summed != "" {
				return fmt.Errorf("indices %q of operands 0 to %d would be one axis of a product, which is not possible: %w", side, i, err)
			}
		}
		e.steps = append(e.steps, s)
	}
	return nil
}

// only returns the letters of a term for which keep is true, each once.
func only(term string, keep func(c rune) bool) (kept string) {
	for _, c := range term {
		if keep(c) && !strings.ContainsRune(kept, c) {
			kept += string(c)
		}
	}
	return kept
}

// needed reports whether the result, or an operand from index i on, has index c.
func (e einsum) needed(c rune, i int) bool {
	return strings.ContainsRune(e.out+strings.Join(e.terms[i:], ""), c)
}

func (e einsum) dims(indices string) (ds []shape.Dim) {
	for _, c := range indices {
		ds = append(ds, e.extents[c])
	}
	return ds
}

func (e einsum) lower(xs []*graph.Node) *graph.Node {
	acc := labelled{xs[0], e.terms[0]}.diagonal()
	if len(e.steps) > 0 {
		s := e.steps[0]
		acc = acc.sum(s.batch + s.left + s.summed)
	}
	for i, s := range e.steps {
		next := labelled{xs[i+1], e.terms[i+1]}.diagonal().sum(s.batch + s.right + s.summed)
		acc = e.multiply(s, acc, next)
	}
	return acc.sum(e.out).ordered(e.out).x
}

func (e einsum) multiply(s einsumStep, a, b labelled) labelled {
	batch, left, right := e.dims(s.batch), e.dims(s.left), e.dims(s.right)
	result := labelled{labels: s.batch + s.left + s.right}
	if s.summed == "" {
		x := Reshape(a.ordered(s.batch+s.left).x, slices.Concat(batch, left, slices.Repeat([]shape.Dim{1}, len(right)))...)
		y := Reshape(b.ordered(s.batch+s.right).x, slices.Concat(batch, slices.Repeat([]shape.Dim{1}, len(left)), right)...)
		result.x = Mul(x, y)
		return result
	}
	rows, _ := shape.Of(left...).Size() // plan has computed it without error
	columns, _ := shape.Of(right...).Size()
	inner, _ := shape.Of(e.dims(s.summed)...).Size()
	x := Reshape(a.ordered(s.batch+s.left+s.summed).x, slices.Concat(batch, []shape.Dim{rows, inner})...)
	y := Reshape(b.ordered(s.batch+s.summed+s.right).x, slices.Concat(batch, []shape.Dim{inner, columns})...)
	result.x = Reshape(MatMul(x, y), slices.Concat(batch, left, right)...)
	return result
}

// labelled is a tensor with a letter for each axis.
type labelled struct {
	x      *graph.Node
	labels string
}

// diagonal takes the diagonal of axes that have the same letter: it moves both to the end, joins
// them, and takes every (extent+1)th element.
func (l labelled) diagonal() labelled {
	for i := range len(l.labels) {
		j := i + 1 + strings.IndexByte(l.labels[i+1:], l.labels[i])
		if j == i {
			continue
		}
		rest := l.labels[:i] + l.labels[i+1:j] + l.labels[j+1:]
		perm := make([]int, 0, len(l.labels))
		for axis := range len(l.labels) {
			if axis != i && axis != j {
				perm = append(perm, axis)
			}
		}
		n := l.x.Type().Int(i)
		x := Transpose(l.x, append(perm, i, j)...)
		x = Reshape(x, append(x.Type().Dims()[:len(rest)], shape.Dim(n*n))...)
		return labelled{sliceEvery(x, len(rest), 0, n+1, n), rest + l.labels[i:i+1]}.diagonal()
	}
	return l
}

// sum sums over the indices that are not in keep.
func (l labelled) sum(keep string) labelled {
	var axes []int
	for axis, c := range l.labels {
		if !strings.ContainsRune(keep, c) {
			axes = append(axes, axis)
		}
	}
	if len(axes) == 0 {
		return l
	}
	return labelled{Sum(l.x, axes...), only(l.labels, func(c rune) bool { return strings.ContainsRune(keep, c) })}
}

// ordered transposes the axes into the order of labels.
func (l labelled) ordered(labels string) labelled {
	if l.labels == labels {
		return l
	}
	perm := make([]int, len(labels))
	for i := range labels {
		perm[i] = strings.IndexByte(l.labels, labels[i])
	}
	return labelled{Transpose(l.x, perm...), labels}
}
