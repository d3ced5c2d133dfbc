package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"gorgonia.org/tensor"

	"github.com/plexaura/plexaura/engine"
	"github.com/plexaura/plexaura/shape"
)

// Ranges are the least and largest numbers that the convolutions and products of a program were
// given as their first input, by the names of their layers, which [Instruction] shows: where a
// normalisation has been scaled into a convolution, that of the normalisation. One without a layer
// has the name of its op; of several with the same name the second has "#2" behind it, and so on.
// [Machine.Calibrate] observes them, and [Quantise] uses them.
type Ranges map[string]Range

// Range is a range of numbers, both ends included.
type Range struct {
	Min float32 `json:"min"`
	Max float32 `json:"max"`
}

// check returns what is wrong with the range.
func (r Range) check() error {
	if !(r.Min <= r.Max) || math.IsInf(float64(r.Min), 0) || math.IsInf(float64(r.Max), 0) {
		return fmt.Errorf("from %v to %v; want two numbers, the smaller one first", r.Min, r.Max)
	}
	return nil
}

// rangesFile is the content of a file of ranges.
type rangesFile struct {
	Format string `json:"format"`
	Layers Ranges `json:"layers"`
}

const rangesFormat = "plexaura ranges 1"

// Write writes r as JSON, sorted by name, for [ReadRanges].
func (r Ranges) Write(w io.Writer) error {
	if w == nil {
		return errors.New("vm: writing ranges: nil writer")
	}
	for name, of := range r {
		if err := of.check(); err != nil {
			return fmt.Errorf("vm: the range of %s is %w", name, err)
		}
	}
	b, err := json.MarshalIndent(rangesFile{rangesFormat, r}, "", "\t")
	if err != nil {
		return fmt.Errorf("vm: writing ranges: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// mostRanges bounds what ReadRanges reads, in bytes.
const mostRanges = 1 << 24

// ReadRanges reads what [Ranges.Write] has written. Entries may have been removed, which leaves their
// layers in float32. Anything else is an error.
func ReadRanges(r io.Reader) (Ranges, error) {
	if r == nil {
		return nil, errors.New("vm: reading ranges: nil reader")
	}
	b, err := io.ReadAll(io.LimitReader(r, mostRanges+1))
	if err != nil {
		return nil, fmt.Errorf("vm: reading ranges: %w", err)
	}
	if len(b) > mostRanges {
		return nil, fmt.Errorf("vm: ranges of more than %d bytes", mostRanges)
	}
	var f struct {
		Format string `json:"format"`
		Layers map[string]struct{ Min, Max *float32 }
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("vm: ranges: %w", err)
	}
	if f.Format != rangesFormat {
		return nil, fmt.Errorf("vm: the format is %q; want %q, as demo calibrate writes it", f.Format, rangesFormat)
	}
	all := Ranges{}
	for name, of := range f.Layers {
		if of.Min == nil || of.Max == nil {
			return nil, fmt.Errorf("vm: the range of %s lacks its min or max", name)
		}
		all[name] = Range{*of.Min, *of.Max}
		if err := all[name].check(); err != nil {
			return nil, fmt.Errorf("vm: the range of %s is %w", name, err)
		}
	}
	return all, nil
}

// Calibrate is like [Machine.Run] of a program in float32, and extends ranges to what its
// convolutions and products in float32 were given. A number that is not finite is an error, after which
// ranges are as before. It is to be called for each batch of a calibration set, with the same ranges, which are empty at first. The names are
// those of the same graph compiled with [Quantise].
func (m *Machine) Calibrate(ctx context.Context, ranges Ranges, inputs ...*tensor.Dense) error {
	if ranges == nil {
		return errors.New("vm: Calibrate: nil ranges; make them by vm.Ranges{}")
	}
	if m != nil && m.prog != nil && !onHost(m.prog.memory) {
		return errors.New("vm: Calibrate: the values are on a device; calibrate on an engine of the host")
	}
	seen := Ranges{}
	if _, err := m.trace(ctx, func(s *step, _ time.Duration) error { return s.calibrate(seen) }, inputs); err != nil {
		return err
	}
	for name, r := range seen {
		ranges.extend(name, r)
	}
	return nil
}

// extend makes the range of name include r.
func (all Ranges) extend(name string, r Range) {
	if old, ok := all[name]; ok {
		r = Range{min(r.Min, old.Min), max(r.Max, old.Max)}
	}
	all[name] = r
}

// calibrate extends the range of what the step was given.
func (s *step) calibrate(ranges Ranges) error {
	name := s.instr.ranged
	if name == "" || s.call.In[0].Len() == 0 {
		return nil
	}
	if s.call.In[0].DType() == shape.Float64 {
		return nil // as Quantise leaves it
	}
	if s.call.In[0].DType() != shape.Float32 {
		return fmt.Errorf("vm: Calibrate: %s computes with %v; calibrate a program without vm.Quantise, in float32", name, s.call.In[0].DType())
	}
	r := rangeOf(engine.Slice[float32](s.call.In[0]))
	if err := r.check(); err != nil {
		return fmt.Errorf("vm: Calibrate: the input of %s has a number that is not finite", name)
	}
	ranges.extend(name, r)
	return nil
}

// rangeOf returns the range of v, which has NaN for an end if v has one.
func rangeOf(v []float32) Range {
	lo, hi := v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	return Range{lo, hi}
}
