package data

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/plexaura/plexaura/shape"
)

// Preprocess describes how raw data become inputs. The zero Preprocess changes nothing.
type Preprocess struct {
	// Image names the conversion of a picture of any size to intensities in [0,1] of the input's
	// shape, such as "mnist". It is for programs that read pictures; empty means that none is
	// known.
	Image string `json:"image,omitempty"`
	// Mean and Std have one number per channel, the first axis of an input, or one number for all.
	// An intensity x becomes (x-Mean)/Std. If both are empty it is unchanged.
	Mean []float32 `json:"mean,omitempty"`
	Std  []float32 `json:"std,omitempty"`
}

// Apply preprocesses the intensities of one input in place. The length of x must be a multiple of
// the number of channels.
func (p Preprocess) Apply(x []float32) {
	if len(p.Mean) == 0 {
		return
	}
	plane := len(x) / len(p.Mean)
	for c := range p.Mean {
		for i, v := range x[c*plane : (c+1)*plane] {
			x[c*plane+i] = p.normalise(c, v)
		}
	}
}

func (p Preprocess) normalise(c int, v float32) float32 {
	if len(p.Mean) == 0 {
		return v
	}
	return (v - p.Mean[c]) / p.Std[c]
}

// channels returns the number of parts of an input that are normalised separately.
func (p Preprocess) channels() int { return max(1, len(p.Mean)) }

func (p Preprocess) check(input shape.Shape) error {
	switch n := len(p.Mean); {
	case !utf8.ValidString(p.Image):
		return fmt.Errorf("preprocessing %q, a name that is not in UTF-8", p.Image)
	case n != len(p.Std):
		return fmt.Errorf("preprocessing has %d means and %d standard deviations", n, len(p.Std))
	case n > 1 && (input.Rank() == 0 || input.Int(0) != n):
		return fmt.Errorf("preprocessing is for %d channels, the input is %v", n, input)
	}
	for c := range p.Mean {
		if !finite(p.Mean[c]) || !finite(p.Std[c]) || p.Std[c] <= 0 {
			return errors.New("preprocessing needs finite means and positive standard deviations")
		}
		if lo, hi := p.normalise(c, 0), p.normalise(c, 1); !finite(lo) || !finite(hi) {
			return fmt.Errorf("preprocessing by mean %v and standard deviation %v makes intensities in [0,1] infinite", p.Mean[c], p.Std[c])
		}
	}
	return nil
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
