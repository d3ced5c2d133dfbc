package simd

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// Level is a family of instructions that kernels are written for.
type Level uint8

// The levels, slowest first.
const (
	Generic Level = iota // plain Go
	AVX2                 // AVX2 and FMA
	AVX512               // AVX-512 F, BW, DQ and VL
)

// String returns the level's usual name.
func (l Level) String() string {
	switch l {
	case Generic:
		return "generic"
	case AVX2:
		return "AVX2"
	case AVX512:
		return "AVX-512"
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// Float is the element type of kernels that exist in both precisions.
type Float interface{ float32 | float64 }

// Kernels is the table of kernels for one level. It is immutable and safe for concurrent use.
type Kernels struct {
	level  Level
	gemm32 *tiles[float32]
	gemm64 *tiles[float64]
	vectors
	pools
	gradPanels
	winogradKernels
	philoxKernels
	laneKernels
}

// FMALoop does multiply-adds of float32 on registers for about a microsecond a turn, and returns how
// many floating-point operations it did: the yardstick of the other kernels.
func (k *Kernels) FMALoop(turns int) (operations int) {
	const each = 256
	for range turns {
		k.fmaLoop(each)
	}
	const vectors, mulAdd = 12, 2
	return turns * each * vectors * mulAdd * k.width
}

// Level returns what the kernels are written for.
func (k *Kernels) Level() Level { return k.level }

// Levels returns the levels that this processor runs, slowest first.
func Levels() []Level {
	var levels []Level
	for _, k := range tables() {
		levels = append(levels, k.level)
	}
	return levels
}

// With returns the kernels of a level. A level that the processor lacks panics; see [Levels].
func With(l Level) *Kernels {
	all := tables()
	i := slices.IndexFunc(all, func(k *Kernels) bool { return k.level == l })
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

// Chosen is [Best] that returns an error where Best panics, for a program that can tell its user.
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
		if has[i] = k.level.variable(); has[i] == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("simd: %s is %q; this processor has %s", LevelVariable, name, strings.Join(has, ", "))
}

// variable is what [LevelVariable] calls the level: "avx512" for AVX-512.
func (l Level) variable() string { return strings.ReplaceAll(strings.ToLower(l.String()), "-", "") }

// tables holds the kernels of each level that the processor runs, slowest first.
var tables = sync.OnceValue(func() []*Kernels {
	return append([]*Kernels{generic()}, native()...)
})

func generic() *Kernels {
	return &Kernels{level: Generic, gemm32: goTiles[float32](), gemm64: goTiles[float64](), vectors: vectorsGo(), pools: poolsGo, winogradKernels: winogradGo, laneKernels: lanesGo, philoxKernels: philoxGo}
}
