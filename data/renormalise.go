package data

// normalised is a dataset with another normalisation of its inputs.
type normalised struct {
	Dataset
	from, to Preprocess
}

func (d normalised) Info() Info {
	info := d.Dataset.Info()
	info.Preprocess = d.to
	return info
}

func (d normalised) Read(i int, e Example) error {
	if err := d.Dataset.Read(i, e); err != nil {
		return err
	}
	d.from.Undo(e.X)
	d.to.Apply(e.X)
	return nil
}

// Path implements [Filed].
func (d normalised) Path(i int) string { return Path(d.Dataset, i) }

// Label implements [Labelled].
func (d normalised) Label(i int) (int32, bool) { return label(d.Dataset, i) }

// WithPreprocess returns ds with inputs preprocessed by p instead of its own Preprocess.
func WithPreprocess(ds Dataset, p Preprocess) (Dataset, error) {
	info, err := describe(ds)
	if err == nil {
		err = p.check(info.Input.Shape)
	}
	if err != nil {
		return nil, prefixed(err)
	}
	return normalised{ds, info.Preprocess, p}, nil
}

// Undo turns an input back into intensities, in place.
func (p Preprocess) Undo(x []float32) {
	if len(p.Mean) == 0 {
		return
	}
	plane := len(x) / len(p.Mean)
	for c := range p.Mean {
		for i, v := range x[c*plane : (c+1)*plane] {
			x[c*plane+i] = v*p.Std[c] + p.Mean[c]
		}
	}
}
