package main

import "math"

// kind is a kind of numbers.
type kind struct {
	of   func(h uint64) float64 // an element by its hash
	near bool                   // numbers a unit in the last place off are of the kind too, as they are not where ties or bounds count
}

// kinds of numbers. Floating point is rounded to float32.
var kinds = map[string]kind{
	"plain":    {func(h uint64) float64 { return 2*unit(h) - 1 }, true},
	"positive": {func(h uint64) float64 { return unit(h) + .25 }, true},
	"chance":   {unit, false},
	"wide":     {func(h uint64) float64 { return 40*unit(h) - 20 }, true},
	"ties":     {func(h uint64) float64 { return float64(h%5) - 2 }, false},
	"kinks":    {among(kinks), false},
	"extreme":  {among(extremes), false},
	"tiny":     {among(tiny), false},
	"special":  {among(specials), false},
	"few NaN":  {rarely(math.NaN(), math.Inf(1), math.Inf(-1)), false},
	"many NaN": {among([]float64{math.NaN(), 0, 1, -1, math.NaN(), 2, inf, -inf}), false},
	"logits":   {among(logits), true},
	"sides":    {func(h uint64) float64 { return float64(h%2)*2 - 1 }, false},
	"ids":      {func(h uint64) float64 { return float64(h % 3) }, false},
	"bytes":    {func(h uint64) float64 { return float64(h % 256) }, false},
	"counts":   {func(h uint64) float64 { return float64(h%7) + 1 }, false},
	"mask":     {func(h uint64) float64 { return float64(h % 2) }, false},
	"most":     {func(h uint64) float64 { return float64(min(h%4, 1)) }, false},
	"even":     {func(h uint64) float64 { return math.Floor(16*unit(h)) / 4 }, false},
}

var (
	inf    = math.Inf(1)
	kinks  = []float64{0, 1, -1, math.Copysign(0, -1), .5, -.5, 2, -2, 3, -3, 2.5, -2.5, 4, -4, 6, -6, 20, -20, .25}
	logits = []float64{0, 10, -10, 15, -15, 17, -17, 20, -20, 50, -50, 88, -88, 89, -89, 104, -104, 1e4, -1e4, 1, -1, .1}
	// extremes are finite, and normal in float32.
	extremes = []float64{
		1, -1, 1e-3, -1e-3, 1e-7, -1e-7, 1e-20, -1e-20, 0x1p-126, -0x1p-126, 1e3, -1e3, 1e7, -1e7, 1e20, -1e20, 3e38, -3e38, math.MaxFloat32, -math.MaxFloat32,
		5, -5, 9, -9, 13, -13, 17, -17, 30, -30, 87, -87, 88.5, -88.5, 103, -103,
	}
	tiny     = []float64{1, -1, 0, 1e-39, -1e-39, 0x1p-149, -0x1p-149, 1.1e-38, -1.1e-38, 0x1p-126, -0x1p-126}
	specials = []float64{0, 1, -1, math.Copysign(0, -1), .5, -.5, 2, -2, 30, -30, 100, -100, math.Inf(1), math.Inf(-1), math.NaN()}
)

// unit is 24 bits of a hash as a number from 0 to 1, so that float32 has twice of it less 1
// exactly.
func unit(h uint64) float64 { return float64(h>>40) / (1 << 24) }

func among(v []float64) func(uint64) float64 {
	return func(h uint64) float64 { return v[h%uint64(len(v))] }
}

// rarely is plain, but for one of the given values in 12 elements.
func rarely(v ...float64) func(uint64) float64 {
	return func(h uint64) float64 {
		if h%12 == 0 {
			return v[h/12%uint64(len(v))]
		}
		return 2*unit(h) - 1
	}
}
