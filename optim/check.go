package optim

import (
	"fmt"
	"math"
)

// Each check returns nil if the value is in range. NaN is never in range.

func positive(name string, v float64) error {
	if v > 0 && v <= math.MaxFloat64 {
		return nil
	}
	return fmt.Errorf("%s is %v; it must be positive", name, v)
}

func notNegative(name string, v float64) error {
	if v >= 0 && v <= math.MaxFloat64 {
		return nil
	}
	return fmt.Errorf("%s is %v; it must not be negative", name, v)
}

// fraction checks that 0 <= v < 1.
func fraction(name string, v float64) error {
	if v >= 0 && v < 1 {
		return nil
	}
	return fmt.Errorf("%s is %v; it must be at least 0 and less than 1", name, v)
}

func atLeast(name string, v, least int) error {
	if v >= least {
		return nil
	}
	return fmt.Errorf("%s is %d; it must be at least %d", name, v, least)
}

// or returns v, or d where v is 0.
func or(v, d float64) float64 {
	if v == 0 {
		return d
	}
	return v
}
