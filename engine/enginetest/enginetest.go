package enginetest

import (
	"fmt"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/plexaura/plexaura/engine"
)

// Options set how much is tested, and which deviations an engine's documentation allows. The zero
// Options allow none.
type Options struct {
	Brief      bool   // run only a part of the tests; as with -short and with the race detector
	Seed       uint64 // of the trials; 0 is a seed like any other
	Flushes    bool   // float32 denormals, in inputs or results, may be treated as zeros
	SkipsZeros bool   // matrix products may skip terms with a factor of 0, whatever the other factor is
	Allocates  bool   // kernels may allocate
}

// Run tests every kernel that e binds: results against those of package ref, for every element
// type; that memory around the buffers, and inputs, are unchanged; overwriting of inputs;
// bit-identical results for any GOMAXPROCS, in concurrent use, and with any initial content of
// memory; no allocation; and errors. Kernels of an [engine.Device] are run by [engine.Hosted], and
// may allocate. Each family of kernels, named after its interface in package engine, is a subtest;
// a family that e lacks is skipped.
//
// The comments on each family's limits say how exact results must be.
func Run(t *testing.T, e engine.Engine, o Options) {
	o.Brief = o.Brief || testing.Short() || raceDetector
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			if !f.offered(e) {
				t.Skipf("engine %s does not implement %s", e.Name(), f.name)
			}
			reported := 0
			for err := range f.failures(e, o) {
				t.Error(err)
				if reported++; reported == mostReports {
					t.Fatal("and perhaps more")
				}
			}
		})
	}
}

// amount returns how many random trials are run, and that one in every so many fixed ones is run.
func (o Options) amount() (random, every int) {
	if o.Brief {
		return 12, 5
	}
	return 60, 1
}

// mostReports is the largest number of reports printed by one subtest.
const mostReports = 10

// family is the kernels of one interface.
type family struct {
	name    string
	offered func(engine.Engine) bool
	fixed   func(*gen) []trial // cases that are always tested
	random  func(*gen) trial
}

var families = []family{
	{"Mapper", is[engine.Mapper], mapTable, randomMap},
	{"Reducer", is[engine.Reducer], reduceTable, randomReduce},
	{"MatMuler", is[engine.MatMuler], matMulTable, randomMatMul},
	{"Conv2Der", is[engine.Conv2Der], conv2DTable, randomConv2D},
	{"MaxPooler", is[engine.MaxPooler], maxPoolTable, randomMaxPool},
	{"ConvPooler", is[engine.ConvPooler], convPoolTable, randomConvPool},
	{"AvgPooler", is[engine.AvgPooler], avgPoolTable, randomAvgPool},
	{"Layouter", is[engine.Layouter], layoutTable, randomLayout},
	{"Softmaxer", is[engine.Softmaxer], softmaxTable, randomSoftmax},
	{"Quantiser", is[engine.Quantiser], quantTable, randomQuant},
	{"Normaliser", is[engine.Normaliser], normTable, randomNorm},
	{"Recurrer", is[engine.Recurrer], recurrentTable, randomRecurrent},
	{"Attender", is[engine.Attender], attentionTable, randomAttention},
	{"WindowSummer", is[engine.WindowSummer], windowSumTable, randomWindowSum},
	{"Mover", is[engine.Mover], moveTable, randomMove},
	{"Accumulator", is[engine.Accumulator], accumulateTable, randomAccumulate},
	{"Indexer", is[engine.Indexer], indexTable, randomIndex},
	{"Resampler", is[engine.Resampler], resampleTable, randomResample},
	{"Scanner", is[engine.Scanner], scanTable, randomScan},
	{"Randomer", is[engine.Randomer], randomTable, randomRandom},
}

func is[C any](e engine.Engine) bool {
	_, ok := e.(C)
	return ok
}

// failures yields the failures of e's kernels of this family.
func (f family) failures(e engine.Engine, o Options) iter.Seq[error] {
	return func(yield func(error) bool) {
		for i, tr := range f.trials(e, o) {
			for _, tr := range tr.arrangements(e) {
				err := tr.check(e, o, f.rng(o, i))
				if err != nil && !yield(fmt.Errorf("%s %d: %v: %w", f.name, i, tr, err)) {
					return
				}
			}
		}
	}
}

// trials yields numbered trials. Each is drawn by its own generator, so that it does not depend on
// the number of trials.
func (f family) trials(e engine.Engine, o Options) iter.Seq2[int, trial] {
	return func(yield func(int, trial) bool) {
		fixed := f.fixed(&gen{f.rng(o, -1), e, o})
		random, every := o.amount()
		for i := int(o.Seed % uint64(every)); i < len(fixed); i += every {
			if !yield(i, fixed[i]) {
				return
			}
		}
		for i := range random {
			i += len(fixed)
			if !yield(i, f.random(&gen{f.rng(o, i), e, o})) {
				return
			}
		}
	}
}

func (f family) rng(o Options, i int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, f.name, i)
	return rand.New(rand.NewPCG(o.Seed, h.Sum64()))
}

var oracle = Laid{Layout: engine.Interleaved(8)}
