package data

import (
	"errors"
	"fmt"
	"slices"

	"github.com/plexaura/plexaura/shape"
)

// JoinInputs returns the dataset for a model of several inputs: example i has the inputs of example i of
// every part, one after the other as numbers float32(n), and the target of the first part. Each
// input is preprocessed as its part says. nn.Inputs cuts them apart again.
func JoinInputs(parts ...Dataset) (Dataset, error) {
	j, err := join(parts)
	if err != nil {
		return nil, prefixed(err)
	}
	j.info = Info{Input: shape.F32(shape.Dim(j.inputs())), Target: j.infos[0].Target, Classes: slices.Clone(j.infos[0].Classes)}
	if err := j.info.Err(); err != nil {
		return nil, prefixed(err)
	}
	return joinedInputs{j}, nil
}

// JoinTargets returns the dataset for a model of several targets: the inputs of the first part, and of
// all parts the targets, one after the other. They are int32(n), without names of classes, if all of
// them are class numbers; otherwise float32(n), in which class numbers are exact up to 2^24. nn.Cut cuts
// them apart in a loss. The inputs of the other parts are read too, and should be cheap.
func JoinTargets(parts ...Dataset) (Dataset, error) {
	j, err := join(parts)
	if err != nil {
		return nil, prefixed(err)
	}
	n, integers := 0, true
	for _, info := range j.infos {
		n += info.Target.Len()
		integers = integers && info.Target.DType == shape.Int32
	}
	j.info = j.infos[0]
	j.info.Target, j.info.Classes = shape.F32(shape.Dim(n)), nil
	if integers {
		j.info.Target = shape.I32(shape.Dim(n))
	}
	if err := j.info.Err(); err != nil {
		return nil, prefixed(err)
	}
	return joinedTargets{j}, nil
}

// joined is several datasets of the same number of examples.
type joined struct {
	parts []Dataset
	infos []Info
	info  Info
	n     int
}

func join(parts []Dataset) (j joined, err error) {
	if len(parts) == 0 {
		return j, errors.New("no datasets to join")
	}
	for i, p := range parts {
		n, err := count(p)
		if err != nil {
			return j, fmt.Errorf("part %d: %w", i, err)
		}
		info, err := describe(p)
		if err == nil {
			err = info.Err()
		}
		switch {
		case err != nil:
			return j, fmt.Errorf("part %d: %w", i, err)
		case i > 0 && n != j.n:
			return j, fmt.Errorf("part %d has %d examples, the first %d", i, n, j.n)
		}
		j.n, j.infos = n, append(j.infos, info)
	}
	j.parts = slices.Clone(parts)
	return j, nil
}

func (j joined) inputs() (n int) {
	for _, info := range j.infos {
		n += info.Input.Len()
	}
	return n
}

// Len implements [Dataset].
func (j joined) Len() int { return j.n }

// Info implements [Dataset].
func (j joined) Info() Info { return j.info }

// Path implements [Filed].
func (j joined) Path(i int) string { return Path(j.parts[0], i) }

type joinedInputs struct{ joined }

// Label implements [Labelled].
func (j joinedInputs) Label(i int) (int32, bool) { return label(j.parts[0], i) }

// Read implements [Dataset].
func (j joinedInputs) Read(i int, e Example) error {
	x := e.X
	for k, p := range j.parts {
		size := j.infos[k].Input.Len()
		if len(x) < size {
			return fmt.Errorf("data: room for %d elements; want %v", len(e.X), j.info.Input)
		}
		part := Example{X: x[:size:size], Labels: e.Labels, Targets: e.Targets}
		if k > 0 {
			part.Labels, part.Targets = nil, nil
			part.makeTargets(1, j.infos[k].Target)
		}
		if err := p.Read(i, part); err != nil {
			return fmt.Errorf("part %d: %w", k, err)
		}
		x = x[size:]
	}
	return nil
}

type joinedTargets struct{ joined }

// Read implements [Dataset].
func (j joinedTargets) Read(i int, e Example) error {
	if len(e.Labels)+len(e.Targets) != j.info.Target.Len() {
		return fmt.Errorf("data: room for %d elements; want %v", len(e.Labels)+len(e.Targets), j.info.Target)
	}
	at := 0
	for k, p := range j.parts {
		info := j.infos[k]
		part := Example{X: e.X}
		if k > 0 {
			part.X = make([]float32, info.Input.Len())
		}
		part.makeTargets(1, info.Target)
		if err := p.Read(i, part); err != nil {
			return fmt.Errorf("part %d: %w", k, err)
		}
		if j.info.Target.DType == shape.Int32 {
			at += copy(e.Labels[at:], part.Labels)
			continue
		}
		for _, v := range part.Labels {
			e.Targets[at] = float32(v)
			at++
		}
		at += copy(e.Targets[at:], part.Targets)
	}
	return nil
}
