package cases

import (
	"slices"

	"github.com/plexaura/plexaura/autodiff"
	"github.com/plexaura/plexaura/autodiff/gradcheck"
	"github.com/plexaura/plexaura/ops"
)

// Line sums up what the table says of one op.
type Line struct {
	Op     string
	Rows   int                  // how many rows check it
	Worst  gradcheck.Difference // of all rows
	Orders []float64            // the worst error of each order
	Label  string               // of the row with the worst difference
	Err    error                // of the first row that failed
	Reason string               // why the op has no gradient, where it has none
}

// Summary runs the table and returns a line for each name in it, then one for each further op
// of the catalogue: ops that only gradients are made of, whose rows are those that
// differentiate them again, and ops without a gradient.
func Summary() []Line {
	s := summary{at: map[string]int{}}
	var used []usage
	for _, c := range All() {
		r, err := c.Run()
		s.line(c.Op).add(c, r, err)
		used = append(used, usage{c, r, err})
	}
	inTable := len(s.lines)
	for _, op := range ops.All {
		name := op.Name()
		if i, ok := s.at[name]; ok && i < inTable {
			continue
		}
		l := s.line(name)
		if no, ok := op.(autodiff.NotDifferentiable); ok && no.NotDifferentiable() != "" {
			l.Reason = no.NotDifferentiable()
			continue
		}
		for _, u := range used {
			if slices.Contains(u.result.Ops, name) {
				l.add(u.c, u.result, u.err)
			}
		}
	}
	return s.lines
}

// usage is a row that has run.
type usage struct {
	c      Case
	result gradcheck.Result
	err    error
}

// summary is the lines so far, and where each op's is.
type summary struct {
	lines []Line
	at    map[string]int
}

// line returns the line of an op, valid until the next is asked for.
func (s *summary) line(op string) *Line {
	i, ok := s.at[op]
	if !ok {
		i = len(s.lines)
		s.at[op] = i
		s.lines = append(s.lines, Line{Op: op})
	}
	return &s.lines[i]
}

// add counts a row in.
func (l *Line) add(c Case, r gradcheck.Result, err error) {
	l.Rows++
	if l.Err == nil {
		l.Err = err
	}
	for i, e := range r.Orders {
		if i == len(l.Orders) {
			l.Orders = append(l.Orders, 0)
		}
		l.Orders[i] = max(l.Orders[i], e)
	}
	if l.Rows == 1 || r.Worst.Error > l.Worst.Error {
		l.Worst, l.Label = r.Worst, c.Label
	}
}
