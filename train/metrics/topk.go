package metrics

import (
	"encoding/binary"
	"fmt"

	"gorgonia.org/tensor"
)

// topK counts the targets that are among the K largest outputs.
type topK struct{ K int }

// hits is the State of topK.
type hits struct {
	questions
	k          int
	right, all int64
}

func (s topK) New(d Data) (State, error) {
	q, err := questionsOf(d)
	if err != nil {
		return nil, err
	}
	if s.K < 1 || s.K >= q.classes() {
		return nil, fmt.Errorf("there are %d classes; K must be at least 1 and less", q.classes())
	}
	if q.yes() {
		return nil, fmt.Errorf("the output is %v; want one for each class", d.Output)
	}
	return &hits{questions: q, k: s.K}, nil
}

func (h *hits) Reset() { h.right, h.all = 0, 0 }

func (h *hits) Add(output, target *tensor.Dense) error {
	if _, err := h.check(output, target); err != nil {
		return err
	}
	labels, err := h.labelsOf(target, nil)
	if err != nil {
		return err
	}
	single, double, err := numbers(output)
	addHits(h, single, labels)
	addHits(h, double, labels)
	return err
}

func addHits[T number](h *hits, output []T, labels []int32) {
	if len(output) == 0 {
		return
	}
	for i, label := range labels {
		if label < 0 || int(label) >= h.Count {
			continue
		}
		h.all++
		if rank(output[h.at(i):], h.Count, h.Inner, int(label)) < h.k {
			h.right++
		}
	}
}

// rank returns how many of count numbers come before the one at index at.
func rank[T number](v []T, count, step, at int) (before int) {
	own := v[at*step]
	for c := range count {
		if x := v[c*step]; x > own || x == own && c < at {
			before++
		}
	}
	return before
}

func (h *hits) Merge(other State) error {
	from, ok := other.(*hits)
	if !ok || from == nil || from.questions != h.questions || from.k != h.k {
		return errOther
	}
	h.right += from.right
	h.all += from.all
	return nil
}

func (h *hits) AppendBinary(b []byte) ([]byte, error) {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(h.right)), uint64(h.all)), nil
}

func (h *hits) UnmarshalBinary(data []byte) (err error) {
	if data, err = takeCount(data, &h.right); err != nil {
		return err
	}
	if data, err = takeCount(data, &h.all); err != nil {
		return err
	}
	if h.right > h.all {
		return fmt.Errorf("the encoded state has %d of %d", h.right, h.all)
	}
	return ended(data)
}
