package simd

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/plexaura/plexaura/internal/simd/attention"
	"github.com/plexaura/plexaura/internal/simd/conv"
	"github.com/plexaura/plexaura/internal/simd/gemm"
	"github.com/plexaura/plexaura/internal/simd/interleaved"
	"github.com/plexaura/plexaura/internal/simd/isa"
	"github.com/plexaura/plexaura/internal/simd/nhwc"
	"github.com/plexaura/plexaura/internal/simd/pool"
	"github.com/plexaura/plexaura/internal/simd/quant"
	"github.com/plexaura/plexaura/internal/simd/random"
	"github.com/plexaura/plexaura/internal/simd/totals"
	"github.com/plexaura/plexaura/internal/simd/vec"
	"github.com/plexaura/plexaura/internal/simd/winograd"
)

// Kernels is the table of kernels for one level, room by room. A room that has none for the level
// has those in plain Go: what it can do is asked of the room. It is immutable and safe for
// concurrent use.
type Kernels struct {
	Level       isa.Level
	Gemm        *gemm.Kernels
	Vec         *vec.Kernels
	Totals      *totals.Kernels
	Random      *random.Kernels
	Pool        *pool.Kernels
	Conv        *conv.Kernels
	Winograd    *winograd.Kernels
	Interleaved *interleaved.Kernels
	NHWC        *nhwc.Kernels
	Attention   *attention.Kernels
	Quant       *quant.Kernels
}

// With returns the kernels of a level. A level that the processor lacks panics; see [isa.Levels].
func With(l isa.Level) *Kernels {
	all := tables()
	i := slices.IndexFunc(all, func(k *Kernels) bool { return k.Level == l })
	if i < 0 {
		panic(fmt.Sprintf("simd: this processor has no %v", l))
	}
	return all[i]
}

// Best returns the kernels of the fastest level that this processor runs, or of the level that
// the environment variable [LevelVariable] asks for: "generic", "avx2" or "avx512". A value that is
// none of these, or a level that the processor lacks, panics.
func Best() *Kernels {
	k, err := Chosen()
	if err != nil {
		panic(err)
	}
	return k
}

// Chosen is [Best] for a program that can tell its user: it returns an error where Best panics.
func Chosen() (*Kernels, error) { return chosen() }

// LevelVariable is the environment variable that [Best] heeds, read once: by it a test takes each
// path, and a wrong result can be pinned to one.
const LevelVariable = "PLEXAURA_SIMD"

var chosen = sync.OnceValues(func() (*Kernels, error) { return choose(os.Getenv(LevelVariable)) })

// choose returns the kernels of a level by its name; an empty name stands for the fastest.
func choose(name string) (*Kernels, error) {
	all := tables()
	if name == "" {
		return all[len(all)-1], nil
	}
	has := make([]string, len(all))
	for i, k := range all {
		if has[i] = k.Level.Variable(); has[i] == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("simd: %s is %q; this processor has %s", LevelVariable, name, strings.Join(has, ", "))
}

// tables holds the kernels of each level that the processor runs, slowest first.
var tables = sync.OnceValue(func() (all []*Kernels) {
	for _, l := range isa.Levels() {
		all = append(all, tableOf(l))
	}
	return all
})

// tableOf asks the rooms for their kernels for a level. Plain Go stands in for a room that has none
// for it.
func tableOf(l isa.Level) *Kernels {
	const plain = isa.Generic
	g, v := cmp.Or(gemm.At(l), gemm.At(plain)), cmp.Or(vec.At(l), vec.At(plain))
	return &Kernels{
		Level: l, Gemm: g, Vec: v,
		Totals:      cmp.Or(totals.At(l), totals.At(plain)),
		Random:      cmp.Or(random.At(l), random.At(plain)),
		Pool:        cmp.Or(pool.At(l), pool.At(plain)),
		Conv:        cmp.Or(conv.At(l, g), conv.At(plain, g)),
		Winograd:    cmp.Or(winograd.At(l, g), winograd.At(plain, gemm.At(plain))),
		NHWC:        cmp.Or(nhwc.At(l, g), nhwc.At(plain, gemm.At(plain))),
		Attention:   cmp.Or(attention.At(l, g, v), attention.At(plain, gemm.At(plain), vec.At(plain))),
		Quant:       cmp.Or(quant.At(l), quant.At(plain)),
		Interleaved: cmp.Or(interleaved.At(l, g, v), interleaved.At(plain, g, v)),
	}
}
